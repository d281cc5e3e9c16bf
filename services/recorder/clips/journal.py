"""The journal of a clip being recorded: which frames, by name and time, are on their way into the original.

A line of JSON each: first the plan, then frames `[run_id, seq, t_ns]` and holes. An MP4 cannot hold a frame's number, so
without this a salvaged clip could not say which frames it has. It is removed once the sidecar, which says the same, is on
disk.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from services.recorder.store.disk import Disk
from services.recorder.cameras.gaps import Hole
from services.recorder.store.output_file import OutputFile
from services.recorder.cameras.clip_plan import ClipPlan
from services.recorder.cameras.window import Window


class FrameName(NamedTuple):
    """A frame that was written: its name, and its time on the recorder's monotonic clock."""

    run_id: str
    seq: int
    t_ns: int


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """What a journal says. `window` is the last one known, `boot_id` that of the recorder's clock."""

    plan: ClipPlan
    window: Window
    boot_id: str
    period_ns: int
    frames: tuple[FrameName, ...]
    holes: tuple[Hole, ...]


class Journal:
    """Writes one journal. Raises `WriteFailed`."""

    def __init__(self, disk: Disk, path: Path, plan: ClipPlan, boot_id: str, period_ns: int) -> None:
        self._file = OutputFile(disk, path)
        self._window = plan.window
        self._holes = 0
        try:
            self._add({"plan": asdict(plan), "boot_id": boot_id, "period_ns": period_ns})
        except Exception:
            self._file.close()
            raise

    def write(self, frames: Iterable[FrameName], holes: tuple[Hole, ...], window: Window) -> None:
        """Note frames that are about to be written, the holes known by now, and the window where it was amended."""
        lines: list[Any] = [list(frame) for frame in frames]
        lines += [{"hole": asdict(hole)} for hole in holes[self._holes :]]
        self._holes = len(holes)
        if window != self._window:
            self._window = window
            lines.append({"window": asdict(window)})
        self._add(*lines)

    def sync(self) -> None:
        self._file.sync()

    def close(self) -> None:
        self._file.close()

    def _add(self, *lines: Any) -> None:
        if lines:
            self._file.write("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode())


def read_journal(path: Path) -> JournalRecord | None:
    """What the journal says, up to its first broken line; `None` when there is none that can be read."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
        first = json.loads(lines[0])
        plan = dict(first["plan"])
        plan["window"] = window = Window(**plan["window"])
        record = JournalRecord(ClipPlan(**plan), window, first["boot_id"], first["period_ns"], (), ())
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return None
    frames: list[FrameName] = []
    holes: list[Hole] = []
    for line in lines[1:]:
        try:
            said = json.loads(line)
            if isinstance(said, list):
                frames.append(FrameName(str(said[0]), int(said[1]), int(said[2])))
            elif "hole" in said:
                holes.append(Hole(**said["hole"]))
            elif "window" in said:
                window = Window(**said["window"])
        except (ValueError, TypeError, IndexError):
            break
    return JournalRecord(record.plan, window, record.boot_id, record.period_ns, tuple(frames), tuple(holes))

"""Judges a finished clip against what was asked: is it complete, and if not, what is missing. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from preroll.clock import seconds
from preroll.wire import INT63_MAX
from services.recorder.cameras.gaps import Cause, Hole
from services.recorder.cameras.window import Window

_WORDS: dict[Cause, str] = {
    "lost_on_wire": "lost on the wire",
    "rejected_by_capture": "rejected by capture as corrupt",
    "rejected_by_recorder": "rejected by the recorder as malformed",
    "dropped_by_writer": "dropped, the disk being too slow",
    "not_written": "taken, but not on disk",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost` counts the frames known to be absent within the window.

    `slack_ns` is how far within the window its first and last frame may lie: by it the ends were judged.
    """

    is_complete: bool
    shortfall: tuple[str, ...]
    lost: int
    slack_ns: int


def judge(
    window: Window,
    first_ns: int | None,
    last_ns: int | None,
    period_ns: int,
    holes: Iterable[Hole],
    end_reason: str | None,
    *,
    is_begin_seen: bool = False,
    is_end_seen: bool = False,
) -> Verdict:
    """The verdict on a clip from `first_ns` to `last_ns` (its first and last frame) for the asked `window`.

    Where a frame from beyond an end of the window was seen (`is_begin_seen`, `is_end_seen`), the camera itself had
    nothing more there, and what was lost a hole states. Elsewhere an end may be up to one and a half frame periods off:
    a frame period, and the jitter of a camera's clock.
    """
    slack_ns = period_ns + period_ns // 2
    said: list[str] = []
    lost = 0
    if first_ns is None or last_ns is None:
        said.append("no frame of the window could be had")
    else:
        late_ns, early_ns = first_ns - window.from_ns, window.to_ns - last_ns
        if not is_begin_seen and late_ns > slack_ns:
            said.append(f"begins {seconds(late_ns):.3f} s late")
        if not is_end_seen and early_ns > slack_ns:
            said.append(f"ends {seconds(early_ns):.3f} s early")
        slack_ns = max(slack_ns, late_ns if is_begin_seen else 0, early_ns if is_end_seen else 0)
    if end_reason is not None:
        said.append(end_reason)
    by_cause: dict[Cause, list[Hole]] = {}
    for hole in holes:
        by_cause.setdefault(hole.cause, []).append(hole)
        lost += hole.missing or 0
    said += [_told(cause, of_cause) for cause, of_cause in by_cause.items()]
    return Verdict(not said, tuple(said), min(lost, INT63_MAX), slack_ns)


def _told(cause: Cause, holes: list[Hole]) -> str:
    """One sentence for all holes of one cause: a bad cable makes thousands, and the sidecar has each."""
    places = len(holes)
    span = f"{seconds(sum(hole.to_ns - hole.from_ns for hole in holes)):.3f} s"
    if cause == "stalled":
        return f"the camera stalled for {span}" + (f", {places} times in all" if places > 1 else "")
    if cause == "restarted":
        times = f" {places} times" if places > 1 else ""
        return f"capture restarted{times}, {span} without a frame, count unknown"
    if cause == "renumbered":
        times = f" {places} times" if places > 1 else ""
        return f"the frames' numbers began anew{times}, {span} without a frame, count unknown"
    missing = sum(hole.missing or 0 for hole in holes)
    return f"{missing} frames {_WORDS[cause]}" + (f", in {places} places" if places > 1 else "")

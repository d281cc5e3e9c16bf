"""Judges a finished clip against what was asked: is it complete, and if not, what is missing. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from preroll.clock import seconds
from services.recorder.gaps import Hole
from services.recorder.window import Window

_WORDS = {
    "lost_on_wire": "lost on the wire",
    "rejected_by_capture": "rejected by capture as corrupt",
    "rejected_by_recorder": "rejected by the recorder as malformed",
    "dropped_by_writer": "dropped, the disk being too slow",
    "not_written": "taken, but not on disk",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost` counts the frames known to be absent within the window."""

    is_complete: bool
    shortfall: tuple[str, ...]
    lost: int


def judge(
    window: Window,
    first_ns: int | None,
    last_ns: int | None,
    period_ns: int,
    holes: Iterable[Hole],
    end_reason: str | None,
) -> Verdict:
    """The verdict on a clip from `first_ns` to `last_ns` (its first and last frame) for the asked `window`.

    Each end may be up to one and a half frame periods off: a frame period, and the jitter of a camera's clock.
    """
    slack_ns = period_ns + period_ns // 2
    said: list[str] = []
    lost = 0
    if first_ns is None or last_ns is None:
        said.append("no frame of the window could be had")
    else:
        if first_ns - window.from_ns > slack_ns:
            said.append(f"begins {seconds(first_ns - window.from_ns):.3f} s late")
        if window.to_ns - last_ns > slack_ns:
            said.append(f"ends {seconds(window.to_ns - last_ns):.3f} s early")
    if end_reason is not None:
        said.append(end_reason)
    for hole in holes:
        lost += hole.missing or 0
        span = f"{seconds(hole.to_ns - hole.from_ns):.3f} s"
        if hole.cause == "stalled":
            said.append(f"the camera stalled for {span}")
        elif hole.cause == "restarted":
            said.append(f"capture restarted, {span} without a frame, count unknown")
        else:
            said.append(f"{hole.missing} frames {_WORDS[hole.cause]}")
    return Verdict(not said, tuple(said), lost)

"""Decides whether a trigger is taken, where in time it lies, and what its clips are to be. Pure.

Every refusal says which value broke which limit.
"""

from dataclasses import dataclass
from typing import Final

from preroll import wire
from preroll.clock import NS_PER_S, seconds

WALL_MAX_S: Final = 9_220_000_000  # the end of nanoseconds in 64 bits, less a day and more for windows around a moment


class CommandRejected(Exception):
    """A command that is not carried out; it says why, and the caller has to change something."""

    def __init__(self, code: wire.RefusalCode, message: str, state: wire.ClipState | None = None) -> None:
        super().__init__(message)
        self.refusal = wire.Refused(code=code, message=message, state=state)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a trigger may ask for, and what it gets when it does not say."""

    pre_s: float
    post_s: float
    max_clip_s: float
    max_ahead_s: float
    max_active_events: int
    overlap: wire.Overlap


@dataclass(frozen=True, slots=True)
class Anchor:
    """The moment of a trigger: on the recorder's monotonic clock, and what to add for the wall clock's time."""

    trigger_ns: int
    received_ns: int
    unix_offset_ns: int

    @property
    def triggered_unix_ns(self) -> int:
        return self.trigger_ns + self.unix_offset_ns


def receipt_ns(received: wire.InstantRecord, age_ns: int, own_boot_id: str, now_ns: int) -> int:
    """When the API took a request in, on the recorder's monotonic clock.

    The boot's clock is shared on one host; from another host it is now less the request's age when it was sent.
    """
    if received.boot_id == own_boot_id and received.monotonic_ns <= now_ns:
        return received.monotonic_ns
    return now_ns - age_ns


def anchor(command: wire.StartEvent, own_boot_id: str, now_ns: int, frame_ns: int | None) -> Anchor:
    """Where `command` lies in time; `frame_ns` is the time of the frame it names, if it names one."""
    received_ns = receipt_ns(command.received, command.age_ns, own_boot_id, now_ns)
    trigger_ns = frame_ns if frame_ns is not None else received_ns + command.offset_ns
    return Anchor(trigger_ns, received_ns, command.received.unix_ns - received_ns)


def check_window(pre_s: float, post_s: float, limits: Limits) -> None:
    """Raise when the window is longer than a clip may be, or empty."""
    length_s = pre_s + post_s
    if length_s > limits.max_clip_s:
        raise CommandRejected(
            "window_out_of_bounds", f"clip of {length_s:g} s exceeds max_clip_s={limits.max_clip_s:g}"
        )
    if length_s <= 0:
        raise CommandRejected("window_out_of_bounds", "clip of 0 s: pre_s + post_s must be more than 0")


def check_reach(trigger_ns: int, now_ns: int, limits: Limits) -> None:
    """Raise when the moment lies further ahead than a trigger may be scheduled."""
    ahead_s = seconds(trigger_ns - now_ns)
    if ahead_s > limits.max_ahead_s:
        raise CommandRejected(
            "out_of_reach", f"at lies {ahead_s:.3f} s ahead, which exceeds max_ahead_s={limits.max_ahead_s:g}"
        )


def check_moment(where: Anchor) -> None:
    """Raise when the anchor's wall time cannot be written down. A clock that is only wrong costs no trigger."""
    unix_s = where.triggered_unix_ns // NS_PER_S
    if not 0 <= unix_s <= WALL_MAX_S:
        raise CommandRejected(
            "out_of_reach",
            f"the trigger lies {unix_s} s after 1970, which is not from 0 to {WALL_MAX_S} (the year 2262)",
        )


def state_of(clips: tuple[wire.Clip, ...]) -> wire.ClipState:
    """An event's state: that of its least advanced clip that has not failed; `failed` when all have."""
    alive = [clip.state for clip in clips if clip.state != "failed"]
    return min(alive, key=_ORDER.index) if alive else "failed"


_ORDER: tuple[wire.ClipState, ...] = ("scheduled", "recording", "saved", "ready", "failed")


class CommandRate:
    """At most `per_s` commands in any whole second of the monotonic clock."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._second = 0
        self._count = 0

    def allows(self, now_ns: int) -> bool:
        """Count one more command; whether it is within the rate."""
        second = now_ns // NS_PER_S
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= self._per_s

    def give_back(self) -> None:
        """The last one counted asked for nothing to be done."""
        self._count -= 1

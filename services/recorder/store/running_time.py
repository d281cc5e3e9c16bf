"""How long recorders have run on this clips directory, and whether the wall clock was set meanwhile. Pure.

The running time is the one age that no clock can make up: an event is at least as old as recorders have run since it. The
wall clock is only believed while it keeps step with the monotonic one. What is known is noted each minute, so that it
outlives the process; of two notes that differ, each figure is taken from the one by which less is removed.
"""

from collections.abc import Iterable
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from preroll.clock import NS_PER_S
from preroll.wire import Nanoseconds

STEP_NS: Final = 60 * NS_PER_S
HOLD_NS: Final = 3_600 * NS_PER_S
PAUSE_NS: Final = 60 * NS_PER_S
RUNNING_MAX_NS: Final = 100 * 365 * 86_400 * NS_PER_S


class RunningNote(BaseModel):
    """What is written down. Nanoseconds; `hold_ns` and `pause_ns` are what is left of them, in running time.

    `offset_ns` is the wall clock less the monotonic clock of the boot `boot_id`, as it was before any step.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    running_ns: Annotated[int, Field(ge=0, le=RUNNING_MAX_NS)]
    hold_ns: Annotated[int, Field(ge=0, le=HOLD_NS)] = 0
    pause_ns: Annotated[int, Field(ge=0, le=PAUSE_NS)] = 0
    boot_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    unix_ns: Nanoseconds
    offset_ns: Nanoseconds

    def to_json(self) -> str:
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self | None:
        """The note in `text`; `None` where there is none that can be true."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return None


class RunningTime:
    """The running time of this clips directory since its first recorder, counted on.

    One thread calls `look`, `pause` and `note`; any may read the rest.
    """

    def __init__(
        self, notes: Iterable[RunningNote], highest_noted_ns: int, boot_id: str, monotonic_ns: int, unix_ns: int
    ) -> None:
        """Go on from `notes`; without any, from the highest running time that an event was noted with."""
        known = list(notes)
        highest_ns = highest_noted_ns if 0 <= highest_noted_ns <= RUNNING_MAX_NS else 0
        self._before_ns = min((note.running_ns for note in known), default=highest_ns)
        self._began_ns = monotonic_ns
        self._boot_id = boot_id
        self._offset_ns = _offset_before(known, boot_id, monotonic_ns, unix_ns)
        self._held_until_ns = self._before_ns + max((note.hold_ns for note in known), default=0)
        self._paused_until_ns = self._before_ns + max((note.pause_ns for note in known), default=0)
        self.steps = 0
        self.last_step_ns: int | None = None

    def now_ns(self, monotonic_ns: int) -> int:
        """The running time at that moment. What the machine slept or was off does not count."""
        return self._before_ns + max(0, monotonic_ns - self._began_ns)

    def look(self, monotonic_ns: int, unix_ns: int) -> int:
        """By how much the wall clock was set since it was last believed; 0 when by a minute or less.

        Small steps add up. After a step nothing is to go by age for an hour of running.
        """
        step_ns = unix_ns - monotonic_ns - self._offset_ns
        if abs(step_ns) <= STEP_NS:
            return 0
        self._offset_ns += step_ns
        self._held_until_ns = self.now_ns(monotonic_ns) + HOLD_NS
        self.steps += 1
        self.last_step_ns = step_ns
        return step_ns

    def hold_ns(self, monotonic_ns: int) -> int:
        """For how long yet nothing is to go by age, the wall clock having been set."""
        return max(0, self._held_until_ns - self.now_ns(monotonic_ns))

    def may_remove_by_age(self, monotonic_ns: int) -> bool:
        return self.now_ns(monotonic_ns) >= max(self._held_until_ns, self._paused_until_ns)

    def pause(self, monotonic_ns: int) -> None:
        """Events go by age now: the next go in a minute at the earliest."""
        self._paused_until_ns = self.now_ns(monotonic_ns) + PAUSE_NS

    def note(self, monotonic_ns: int, unix_ns: int) -> RunningNote:
        """What to write down."""
        now_ns = self.now_ns(monotonic_ns)
        return RunningNote(
            running_ns=min(now_ns, RUNNING_MAX_NS),
            hold_ns=max(0, self._held_until_ns - now_ns),
            pause_ns=max(0, self._paused_until_ns - now_ns),
            boot_id=self._boot_id,
            unix_ns=unix_ns,
            offset_ns=self._offset_ns,
        )


def _offset_before(notes: list[RunningNote], boot_id: str, monotonic_ns: int, unix_ns: int) -> int:
    """The offset that the wall clock should have, by what was noted.

    Within one boot that is the one noted. Over a reboot all that is certain is that time did not go back.
    """
    offset_ns = unix_ns - monotonic_ns
    of_this_boot = [note.offset_ns for note in notes if note.boot_id == boot_id]
    if of_this_boot:
        return max(of_this_boot, key=lambda noted_ns: abs(noted_ns - offset_ns))
    return max([offset_ns, *(note.unix_ns - monotonic_ns for note in notes)])

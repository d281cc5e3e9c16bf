"""The running time goes on over restarts, and a wall clock that is set is found out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preroll.clock import NS_PER_S
from services.recorder.store.running_time import RUNNING_MAX_NS, RunningNote, RunningTime
from tests.support.clocks import HandClock

HOUR_S = 3_600
DAY_S = 86_400
BOOT = "boot"


def note_of(running_s: float, **changes: Any) -> RunningNote:
    clock = HandClock()
    note = RunningTime([], 0, BOOT, clock.monotonic_ns(), clock.unix_ns()).note(clock.monotonic_ns(), clock.unix_ns())
    return note.model_copy(update={"running_ns": round(running_s * NS_PER_S), **changes})


class Life:
    """The running time within one life of a recorder."""

    def __init__(self, clock: HandClock, *notes: RunningNote, highest_s: float = 0, boot_id: str = BOOT) -> None:
        self.clock = clock
        highest_ns = round(highest_s * NS_PER_S)
        self.time = RunningTime(notes, highest_ns, boot_id, clock.monotonic_ns(), clock.unix_ns())

    @property
    def running_s(self) -> float:
        return self.time.now_ns(self.clock.monotonic_ns()) / NS_PER_S

    @property
    def hold_s(self) -> float:
        return self.time.hold_ns(self.clock.monotonic_ns()) / NS_PER_S

    @property
    def may_remove(self) -> bool:
        return self.time.may_remove_by_age(self.clock.monotonic_ns())

    def look(self) -> float:
        return self.time.look(self.clock.monotonic_ns(), self.clock.unix_ns()) / NS_PER_S

    def note(self) -> RunningNote:
        return self.time.note(self.clock.monotonic_ns(), self.clock.unix_ns())


def test_running_time_goes_on_where_it_was_noted() -> None:
    life = Life(HandClock(), note_of(100), note_of(100))
    life.clock.advance(5)
    assert life.running_s == 105


def test_of_two_notes_the_smaller_counts() -> None:
    assert Life(HandClock(), note_of(100), note_of(7)).running_s == 7
    assert Life(HandClock(), note_of(7), note_of(1e9)).running_s == 7


def test_without_notes_it_goes_on_from_the_highest_of_an_event() -> None:
    assert Life(HandClock(), highest_s=77).running_s == 77
    assert Life(HandClock()).running_s == 0


def test_a_highest_that_cannot_be_true_is_not_believed() -> None:
    clock = HandClock()
    for highest_ns in (-1, RUNNING_MAX_NS + 1, 2**63 - 1):
        assert RunningTime([], highest_ns, BOOT, clock.monotonic_ns(), clock.unix_ns()).now_ns(0) == 0


@pytest.mark.parametrize("step_s", [61, -61, 40 * DAY_S, -56 * 365 * DAY_S, 1e9])
def test_a_step_holds_removal_by_age_for_an_hour_of_running(step_s: float) -> None:
    life = Life(HandClock())
    assert life.may_remove
    life.clock.advance(10)
    life.clock.step_wall(step_s)
    assert life.look() == step_s
    assert life.hold_s == HOUR_S
    life.clock.advance(HOUR_S - 1)
    assert (life.look(), life.may_remove) == (0, False)
    life.clock.advance(1)
    assert (life.look(), life.may_remove) == (0, True)


def test_a_leap_forth_and_back_are_two_steps_and_hold_from_the_second() -> None:
    life = Life(HandClock())
    life.clock.step_wall(40 * DAY_S)
    assert life.look() == 40 * DAY_S
    life.clock.advance(5)
    life.clock.step_wall(-40 * DAY_S)
    assert life.look() == -40 * DAY_S
    assert (life.time.steps, life.hold_s) == (2, HOUR_S)


@pytest.mark.parametrize("step_s", [60, -60, 1, 0])
def test_a_minute_or_less_is_no_step(step_s: float) -> None:
    life = Life(HandClock())
    life.clock.step_wall(step_s)
    assert life.look() == 0
    assert life.may_remove


def test_small_steps_add_up() -> None:
    life = Life(HandClock())
    found = []
    for _ in range(4):
        life.clock.advance(2)
        life.clock.step_wall(25)
        found.append(life.look())
    assert found == [0, 0, 75, 0]


def test_small_steps_add_up_over_restarts() -> None:
    clock = HandClock()
    first = Life(clock)
    clock.step_wall(40)
    assert first.look() == 0
    clock.step_wall(40)
    second = Life(clock, first.note())
    assert second.look() == 80


def test_a_hold_goes_on_after_a_restart() -> None:
    clock = HandClock()
    first = Life(clock)
    clock.step_wall(DAY_S)
    first.look()
    clock.advance(600)
    second = Life(clock, first.note(), first.note().model_copy(update={"hold_ns": 0}))
    assert second.look() == 0
    assert second.hold_s == HOUR_S - 600
    third = Life(HandClock(monotonic_ns=5, unix_ns=clock.unix_ns()), second.note(), boot_id="another")
    assert third.hold_s == HOUR_S - 600


def test_a_step_while_no_recorder_ran_is_found_within_a_boot() -> None:
    clock = HandClock()
    note = Life(clock).note()
    clock.advance(3 * DAY_S)
    clock.step_wall(-DAY_S)
    assert Life(clock, note).look() == -DAY_S


def test_a_clock_that_lies_before_the_last_note_was_set_though_the_machine_was_off() -> None:
    note = Life(HandClock()).note()
    board = HandClock(monotonic_ns=3 * NS_PER_S, unix_ns=12 * NS_PER_S)
    life = Life(board, note, boot_id="another")
    assert life.look() < -50 * 365 * DAY_S
    assert not life.may_remove
    board.advance(3)
    board.step_wall(1_800_000_000)
    assert life.look() == 1_800_000_000, "the right time comes"
    assert life.hold_s == HOUR_S


def test_time_for_which_the_machine_was_off_is_no_step_and_does_not_count() -> None:
    note = note_of(100)
    later = HandClock(monotonic_ns=NS_PER_S, unix_ns=note.unix_ns + 90 * DAY_S * NS_PER_S)
    life = Life(later, note, boot_id="another")
    assert life.look() == 0
    assert (life.may_remove, life.running_s) == (True, 100)


def test_of_two_notes_of_this_boot_the_one_that_shows_a_step_counts() -> None:
    clock = HandClock()
    before = Life(clock).note()
    clock.step_wall(HOUR_S)
    after = before.model_copy(update={"offset_ns": clock.unix_ns() - clock.monotonic_ns()})
    assert Life(clock, after, before).look() == HOUR_S


def test_after_a_removal_by_age_the_next_waits_a_minute_through_restarts() -> None:
    clock = HandClock()
    life = Life(clock)
    life.time.pause(clock.monotonic_ns())
    assert not life.may_remove
    clock.advance(59)
    again = Life(clock, life.note())
    assert (life.may_remove, again.may_remove) == (False, False)
    clock.advance(1)
    assert (life.may_remove, again.may_remove) == (True, True)


def test_a_note_is_read_as_it_was_written() -> None:
    life = Life(HandClock())
    life.clock.step_wall(DAY_S)
    life.look()
    assert RunningNote.from_json(life.note().to_json()) == life.note()


@pytest.mark.parametrize(
    "change",
    [
        {"running_ns": -1},
        {"running_ns": RUNNING_MAX_NS + 1},
        {"running_ns": 10**400},
        {"running_ns": 1.5},
        {"running_ns": True},
        {"running_ns": None},
        {"running_ns": "1"},
        {"hold_ns": 2**62},
        {"hold_ns": -1},
        {"pause_ns": 2**62},
        {"boot_id": ""},
        {"unix_ns": 2**64},
        {"offset_ns": -(2**64)},
    ],
)
def test_a_note_that_cannot_be_true_is_none(change: dict[str, Any]) -> None:
    facts = json.loads(note_of(5).to_json())
    assert RunningNote.from_json(json.dumps(facts)) is not None
    assert RunningNote.from_json(json.dumps({**facts, **change})) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_note_or_none(data: bytes) -> None:
    RunningNote.from_json(data)


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(["run", "step", "crash", "reboot"]), st.integers(-(10**8), 10**8)), max_size=30
    )
)
def test_running_time_is_never_more_than_recorders_ran(moves: list[tuple[str, int]]) -> None:
    clock = HandClock(monotonic_ns=10**9 * NS_PER_S)
    life, noted, ran_s = Life(clock), note_of(0), 0
    for kind, amount in moves:
        match kind:
            case "run":
                clock.advance(abs(amount) % 10_000)
                ran_s += abs(amount) % 10_000
                noted = life.note()
            case "step":
                clock.step_wall(amount)
            case "crash":
                life = Life(clock, noted)
            case _:
                clock = HandClock(monotonic_ns=abs(amount), unix_ns=clock.unix_ns() + amount)
                life = Life(clock, noted, boot_id=str(amount))
        life.look()
        assert life.running_s <= ran_s

"""A scheduled event begins, waits or has passed: never does it wait for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preroll.clock import NS_PER_S
from services.recorder.cameras.window import Window
from services.recorder.events.open_event import EventPlan
from services.recorder.events.rules import Anchor
from services.recorder.events.schedule import AHEAD_MAX_NS, Due, due, why_passed

BEGAN_S = 1_000


def plan_of(from_s: float, to_s: float, *, ahead_s: float = 30, is_placed_by_wall: bool = False) -> EventPlan:
    received_ns = round((from_s - ahead_s) * NS_PER_S)
    window = Window(round(from_s * NS_PER_S), round(to_s * NS_PER_S))
    return EventPlan("boot", Anchor(window.from_ns, received_ns, 0), window, "folder", is_placed_by_wall)


def due_at(plan: EventPlan, now_s: float, ran_s: float) -> Due:
    return due(plan, round(now_s * NS_PER_S), BEGAN_S * NS_PER_S, round(ran_s * NS_PER_S))


@pytest.mark.parametrize("is_placed_by_wall", [False, True])
def test_it_begins_when_its_window_does(is_placed_by_wall: bool) -> None:
    plan = plan_of(1_010, 1_020, is_placed_by_wall=is_placed_by_wall)
    assert [due_at(plan, now_s, 5) for now_s in (1_009.999, 1_010, 1_015, 1_025)] == ["later", "now", "now", "now"]


def test_a_window_that_passed_while_the_recorder_was_down_begins_late_on_the_same_boot() -> None:
    assert due_at(plan_of(900, 910), 1_001, 5) == "now"


def test_a_window_that_passed_by_the_wall_clock_alone_waits_for_the_clock_to_be_set() -> None:
    plan = plan_of(900, 910, is_placed_by_wall=True)
    assert [due_at(plan, 1_001, ran_s) for ran_s in (5, 30, 31)] == ["later", "later", "passed"]


@given(
    from_s=st.integers(-(10**10), 10**10),
    length_s=st.integers(0, 3_600),
    ahead_s=st.integers(-(10**10), 10**10),
    is_placed_by_wall=st.booleans(),
    now_s=st.integers(BEGAN_S, 10**10),
)
def test_it_never_waits_for_longer_than_a_trigger_may_lie_ahead(
    from_s: int, length_s: int, ahead_s: int, is_placed_by_wall: bool, now_s: int
) -> None:
    plan = plan_of(from_s, from_s + length_s, ahead_s=ahead_s, is_placed_by_wall=is_placed_by_wall)
    assert due(plan, now_s * NS_PER_S, BEGAN_S * NS_PER_S, AHEAD_MAX_NS + 1) in {"now", "passed"}
    assert "its moment has passed" in why_passed(plan, now_s * NS_PER_S, AHEAD_MAX_NS + 1)


@given(ahead_s=st.integers(1, 3_600), waited_s=st.integers(0, 7_200), ran_share=st.floats(0, 1))
def test_on_its_own_boot_none_is_given_up(ahead_s: int, waited_s: int, ran_share: float) -> None:
    plan = plan_of(1_100 + ahead_s, 1_200 + ahead_s, ahead_s=ahead_s)
    ran_s = waited_s * ran_share  # running time is never more than the time that has passed
    assert due_at(plan, 1_100 + waited_s, ran_s) == ("now" if waited_s >= ahead_s else "later")

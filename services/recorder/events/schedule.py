"""When a scheduled event begins, and when it no longer can. Pure.

Within one boot the monotonic clock decides. After a reboot only the wall clock can place the moment, and it may be wrong, a
board that begins in 1970 say, until the date comes. So the plan follows the wall clock until recording begins, and
running time bounds the wait: real time is never less, so once recorders have run for longer than the moment lay ahead
when the event was accepted, it has passed.
"""

from typing import Final, Literal

from preroll.clock import NS_PER_S, seconds
from services.recorder.events.open_event import EventPlan

Due = Literal["later", "now", "passed"]
AHEAD_MAX_NS: Final = 3_600 * NS_PER_S  # the highest max_ahead_s: a plan that says more is damaged


def due(plan: EventPlan, now_ns: int, known_since_ns: int, ran_ns: int) -> Due:
    """What is to become of the event now.

    `known_since_ns` is when the rings began, `ran_ns` for how long recorders have run since the event was accepted.
    """
    # Where the wall clock has the window end before there was a ring, nothing can be had of it; but the clock may be
    # set yet.
    is_reachable = not plan.is_placed_by_wall or plan.window.to_ns >= known_since_ns
    if is_reachable and plan.window.from_ns <= now_ns:
        return "now"
    return "passed" if ran_ns > _ahead_ns(plan) else "later"


def why_passed(plan: EventPlan, now_ns: int, ran_ns: int) -> str:
    """The shortfall of an event that has `passed`."""
    said = f"its moment has passed: it lay {seconds(_ahead_ns(plan)):.3f} s ahead, and recorders ran for {seconds(ran_ns):.3f} s since"
    from_now_s = seconds(plan.window.from_ns - now_ns)
    clock = (
        "the wall clock, by which it is placed after a restart of the machine,"
        if plan.is_placed_by_wall
        else "its plan"
    )
    where = f"{from_now_s:.3f} s ahead" if from_now_s > 0 else f"{-from_now_s:.3f} s ago"
    return f"{said}; {clock} has it begin {where}"


def _ahead_ns(plan: EventPlan) -> int:
    """How far ahead the window began when the event was accepted."""
    return min(max(plan.window.from_ns - plan.anchor.received_ns, 0), AHEAD_MAX_NS)

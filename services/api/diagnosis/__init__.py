"""What is wrong with the system, and what to do about it. Pure: facts in, findings out.

Each finding is about one subject, and says in one sentence what is; where something is not as it should be, in another
what to do. What nobody could ask is left out: a figure that is missing is no finding.
"""

from collections.abc import Callable, Sequence
from typing import Final

from services.api.diagnosis import machine, recording
from services.api.diagnosis.facts import Facts, Finding, State, Subject

__all__ = ["Facts", "Finding", "State", "Subject", "diagnose", "worst"]

_IN_ORDER: Final[tuple[Callable[[Facts], Finding | None], ...]] = (
    recording.trigger,
    machine.clock,
    machine.disk,
    machine.descriptors,
    machine.memory,
    recording.cameras,
    recording.keys,
    recording.events,
    recording.encoding,
)


def diagnose(facts: Facts) -> list[Finding]:
    """One finding for each subject of which something is known, in the order in which a person would look."""
    return [finding for judge in _IN_ORDER if (finding := judge(facts)) is not None]


def worst(findings: Sequence[Finding]) -> State:
    """The state of the whole."""
    states: set[State] = {finding.state for finding in findings}
    return "problem" if "problem" in states else "warning" if "warning" in states else "ok"

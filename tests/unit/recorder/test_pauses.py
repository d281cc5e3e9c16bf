"""After a pause, what depends on time alone waits until the frames that waited are in."""

from preroll.clock import NS_PER_MS, NS_PER_S
from services.recorder.cameras.pauses import PAUSE_MIN_NS, RETURN_NS, TURNS_MAX, Pauses

TURN_NS = 100 * NS_PER_MS


def test_a_turn_in_time_holds_nothing_up() -> None:
    pauses = Pauses()
    assert all(pauses.is_over(turn * TURN_NS, turn * TURN_NS + PAUSE_MIN_NS) for turn in range(100))


def test_nothing_is_done_by_time_for_a_second_after_a_pause() -> None:
    pauses = Pauses()
    assert pauses.is_over(0, 0)
    assert not pauses.is_over(0, 31 * NS_PER_S)
    over_ns = 31 * NS_PER_S + RETURN_NS
    assert not pauses.is_over(over_ns - 1, over_ns - 1)
    assert pauses.is_over(over_ns, over_ns)
    assert pauses.is_over(over_ns + TURN_NS, over_ns + TURN_NS)


def test_a_second_pause_within_that_second_counts_anew() -> None:
    pauses = Pauses()
    assert not pauses.is_over(0, 10 * NS_PER_S)
    assert not pauses.is_over(10 * NS_PER_S, 20 * NS_PER_S)
    assert pauses.is_over(21 * NS_PER_S, 21 * NS_PER_S)


def test_a_machine_that_is_always_late_lets_go_of_old_frames_all_the_same() -> None:
    pauses = Pauses()
    answers = [pauses.is_over(turn * NS_PER_S, (turn + 1) * NS_PER_S) for turn in range(3 * TURNS_MAX)]
    assert sum(answers) == 3

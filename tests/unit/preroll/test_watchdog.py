import threading

import pytest

from preroll.runtime.patience import Patience
from preroll.runtime.watchdog import Watchdog
from tests.support.waiting import wait_until


class Loop:
    """A loop that a watchdog counts for, in steps that the test gives it."""

    def __init__(self, limit_s: float = 30) -> None:
        self.watchdog = Watchdog()
        self.silent: list[str] = []
        self.heartbeat = self.watchdog.watch("loop", limit_s, self.silent.append)
        self.watchdog.close()  # its thread: from here on the test counts
        self.pass_time(1)

    def pass_time(self, *passed_s: float) -> None:
        for step_s in passed_s:
            self.watchdog.count(step_s, step_s=1)


def test_a_loop_that_hangs_is_found_within_its_limit() -> None:
    loop = Loop()
    loop.pass_time(*[1.0] * 30)
    assert loop.silent == []
    loop.pass_time(1.0)
    assert loop.silent == ["loop silent for 31.0 s, limit 30 s"]


@pytest.mark.parametrize("pause_s", [31, 3600, 1e6])
def test_a_pause_of_the_process_is_no_silence(pause_s: float) -> None:
    loop = Loop()
    loop.heartbeat.beat()
    loop.pass_time(1, 1, 1, pause_s, 1)
    assert loop.silent == []


def test_many_pauses_in_a_row_are_none_either_while_the_loop_reports_between_them() -> None:
    loop = Loop()
    for _ in range(100):
        loop.pass_time(60, 60)
        loop.heartbeat.beat()
    assert loop.silent == []


def test_a_loop_that_hangs_is_found_on_a_machine_that_is_paused_now_and_then() -> None:
    loop = Loop()
    loop.pass_time(*[1, 60] * 11)
    assert len(loop.silent) == 1


def test_a_starved_watchdog_finds_a_loop_that_hangs_no_later_than_its_limit() -> None:
    loop = Loop()
    loop.pass_time(*[1.8] * 17)
    assert len(loop.silent) == 1


def test_a_silence_is_reported_once() -> None:
    loop = Loop()
    loop.pass_time(*[2] * 100)
    assert len(loop.silent) == 1


def test_a_loop_that_has_ended_is_not_missed() -> None:
    loop = Loop()
    loop.watchdog.discard(loop.heartbeat)
    loop.pass_time(*[2] * 100)
    assert loop.silent == []


def test_a_loop_that_hangs_is_named_on_stderr_with_the_stacks_of_all_threads(capfd: pytest.CaptureFixture[str]) -> None:
    watchdog, silent = Watchdog(), list[str]()
    watchdog.watch("driver", 0.2, silent.append)
    wait_until(lambda: silent, 5)
    watchdog.close()
    told = capfd.readouterr().err
    assert "watchdog: driver silent for" in told
    assert "Current thread" in told
    assert "test_watchdog.py" in told


def test_a_loop_that_reports_lives() -> None:
    watchdog, silent = Watchdog(), list[str]()
    heartbeat = watchdog.watch("driver", 0.4, silent.append)
    pause = threading.Event()
    for _ in range(16):
        heartbeat.beat()
        pause.wait(0.05)
    watchdog.close()
    assert silent == []


@pytest.mark.parametrize(
    ("steps_s", "is_over"),
    [([0.1] * 9, False), ([0.1] * 11, True), ([0.1, 3600, 0.1], False), ([5] * 4, False), ([5] * 6, True)],
)
def test_waiting_is_counted_in_time_during_which_the_process_ran(steps_s: list[float], is_over: bool) -> None:
    now_s = 0.0
    patience = Patience(1, 0.1, lambda: now_s)
    said = False
    for step_s in steps_s:
        now_s += step_s
        said = patience.is_over()
    assert said == is_over


def test_a_watchdog_that_got_no_thread_at_first_watches_from_the_next_call_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    watchdog = Watchdog()
    silent: list[str] = []
    with monkeypatch.context() as scarce:
        scarce.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            watchdog.watch("refused", 0.01, silent.append)
    watchdog.watch("loop", 0.05, silent.append)
    wait_until(lambda: bool(silent), 5, "the loop that hangs is found")
    watchdog.close()
    assert [said.partition(" ")[0] for said in silent] == ["loop"], "what was refused is not watched"

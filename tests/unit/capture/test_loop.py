import logging
from collections.abc import Callable, Iterable

import pytest

from preroll import wire
from preroll.process import Shutdown
from preroll.runtime.watchdog import Heartbeat
from services.capture import loop as loop_module
from services.capture.loop import CaptureLoop
from services.capture.numbering import Numbering
from services.capture.sources.source import Picture, SourceLost
from services.capture.status import StatusReport
from tests.support.clocks import HandClock
from tests.support.frames import jpeg

PASSWORD = "rtsp://admin:hunter22@camera/1"


class Script:
    """A camera that does what is written: a picture's bytes, a loss, or nothing yet; then the end is requested."""

    def __init__(self, shutdown: Shutdown, steps: Iterable[bytes | SourceLost | None]) -> None:
        self._shutdown = shutdown
        self._steps = iter(steps)
        self.opened = self.closed = 0
        self.asked_for: list[int] = []

    def open(self) -> "Script":
        self.opened += 1
        return self

    def read(self, seq: int) -> Picture | None:
        self.asked_for.append(seq)
        try:
            step = next(self._steps)
        except StopIteration:
            self._shutdown.request("script has ended")
            return None
        if isinstance(step, SourceLost):
            raise step
        return None if step is None else Picture(step, len(self.asked_for))

    def close(self) -> None:
        self.closed += 1


class Outlet:
    def __init__(self) -> None:
        self.sent: list[wire.FrameHeader] = []

    def publish(self, header: wire.FrameHeader, jpeg: bytes | bytearray) -> None:
        assert jpeg
        self.sent.append(header)


class Waits(Shutdown):
    """Notes how long the loop would have waited, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout_s: float | None = None) -> bool:
        self.waited.append(timeout_s or 0.0)
        return self.requested


class Bench:
    def __init__(self, *steps: bytes | SourceLost | None) -> None:
        self.shutdown = Waits()
        self.script = Script(self.shutdown, steps)
        self.outlet = Outlet()
        self.numbering = Numbering("cam1", "boot", "run", 0)
        self.loop = self.loop_over(self.script.open)

    def run(self) -> None:
        self.loop.run(Heartbeat("test", 60, print))

    def loop_over(self, opener: Callable[[], Script]) -> CaptureLoop:
        return CaptureLoop(opener, self.numbering, self.outlet, self.shutdown, "cam1")


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, loop_module.__name__)
    return lambda: [record.getMessage() for record in caplog.records]


def test_pictures_become_frames_in_order() -> None:
    bench = Bench(jpeg(0), None, jpeg(1), jpeg(2))
    bench.run()
    assert [header.seq for header in bench.outlet.sent] == [0, 1, 2]
    assert bench.script.asked_for == [0, 1, 1, 2, 3]
    assert bench.script.closed == bench.script.opened == 1


def test_a_lost_camera_is_opened_again_and_the_numbers_go_on() -> None:
    bench = Bench(jpeg(0), SourceLost("away"), jpeg(1))
    bench.run()
    assert [header.seq for header in bench.outlet.sent] == [0, 1]
    assert (bench.script.opened, bench.script.closed, bench.loop.reopened) == (2, 2, 1)
    assert not bench.loop.is_open


def test_damaged_pictures_are_counted_and_not_published(warnings_of: Callable[[], list[str]]) -> None:
    bench = Bench(jpeg(0), b"", jpeg(1)[:50], jpeg(2))
    bench.run()
    assert [(header.seq, header.rejected) for header in bench.outlet.sent] == [(0, 0), (3, 2)]
    assert len([text for text in warnings_of() if "rejected" in text]) == 1


def test_the_wait_grows_from_half_a_second_to_ten_while_the_camera_stays_away() -> None:
    bench = Bench(*[SourceLost("away")] * 7)
    bench.run()
    assert sum(bench.shutdown.waited) == pytest.approx(0.5 + 1 + 2 + 4 + 8 + 10 + 10, abs=0.6)


def test_the_wait_is_short_again_after_a_picture() -> None:
    bench = Bench(*[SourceLost("away")] * 5, jpeg(0), SourceLost("away"), jpeg(1))
    bench.run()
    assert sum(bench.shutdown.waited) == pytest.approx(0.5 + 1 + 2 + 4 + 8 + 0.5, abs=0.6)


def test_a_state_is_logged_once_a_change_and_without_passwords(warnings_of: Callable[[], list[str]]) -> None:
    away = SourceLost(f"{PASSWORD}: no route")
    bench = Bench(away, away, away, jpeg(0), jpeg(1), away, away, jpeg(2))
    bench.run()
    shown = "camera lost: rtsp://admin:***@camera/1: no route"
    assert warnings_of() == [shown, "camera open", shown, "camera open"]


def test_a_failure_to_open_is_a_loss() -> None:
    bench = Bench(jpeg(0))
    failures = [SourceLost("no such host"), SourceLost("no such host")]

    def opener() -> Script:
        if failures:
            raise failures.pop()
        return bench.script.open()

    bench.loop = bench.loop_over(opener)
    bench.run()
    assert len(bench.outlet.sent) == 1
    assert bench.loop.reopened == 0


def test_the_status_states_rate_and_counters_without_the_password() -> None:
    bench = Bench(*[jpeg(0)] * 30, b"")
    clock = HandClock()
    report = StatusReport("cam1", "run", PASSWORD, bench.loop, bench.numbering, clock)
    bench.run()
    clock.advance(2)
    stamp: dict[str, str | int] = {
        "service": "capture",
        "instance": "cam1",
        "sender_id": "s",
        "number": 0,
        "unix_ns": 1,
    }
    message = report.message(stamp, report.measure_fps())
    assert (message.frames, message.rejected, message.fps) == (30, 1, 15.0)
    assert message.source == "rtsp://admin:***@camera/1"
    assert wire.decode_bus(wire.encode(message)) == message

from preroll.clock import Instant, SystemClock, nanoseconds, read_boot_id, seconds
from tests.support.clocks import HandClock


def test_the_monotonic_clock_never_falls() -> None:
    clock = SystemClock()
    readings = [clock.monotonic_ns() for _ in range(100)]
    assert readings == sorted(readings)


def test_an_instant_reads_both_clocks() -> None:
    clock = HandClock(monotonic_ns=5, unix_ns=7)
    instant = Instant.now(clock, read_boot_id())
    assert (instant.monotonic_ns, instant.unix_ns) == (5, 7)


def test_a_boot_has_one_id() -> None:
    assert read_boot_id() == read_boot_id()
    assert 0 < len(read_boot_id()) <= 64


def test_seconds_of_a_unix_time_keep_microseconds() -> None:
    assert nanoseconds(1_800_000_000.123456) == 1_800_000_000_123_456_000
    assert seconds(1_500_000_000) == 1.5

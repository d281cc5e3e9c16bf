import pytest
from hypothesis import given
from hypothesis import strategies as st

from preroll.clock import NS_PER_S, UNIX_MAX_S
from services.api import moments


@pytest.mark.parametrize(
    ("written", "unix_ns"),
    [
        ("2026-03-01T12:00:00.25Z", 1_772_366_400_250_000_000),
        ("2026-03-01T13:00:00.250000001+01:00", 1_772_366_400_250_000_001),
        ("1772366400.250000001", 1_772_366_400_250_000_001),
        (1_772_366_400, 1_772_366_400 * NS_PER_S),
        (1_772_366_400.25, 1_772_366_400_250_000_000),
        (0, 0),
        (UNIX_MAX_S, UNIX_MAX_S * NS_PER_S),
    ],
)
def test_a_moment_is_read_to_the_nanosecond_that_was_written(written: str | float, unix_ns: int) -> None:
    assert moments.parse(written) == unix_ns


@pytest.mark.parametrize(
    "written",
    [
        *("", "now", "2026-03-01", "2026-03-01T12:00:00", "2026-13-01T00:00:00Z", "2026-03-01T12:00:00+99:00", "-1"),
        *("2100-01-01T00:00:01Z", "1969-12-31T23:59:59Z", "4102444801", "0001-01-01T00:00:00+14:00"),
        *(-1, UNIX_MAX_S + 1, 1e303, 1e308, -1e308, float("nan"), float("inf"), 10**400),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_moment_up_to_2100_is_refused_in_few_words(written: str | float) -> None:
    with pytest.raises(ValueError, match=r"is not|month|offset|timedelta") as refused:
        moments.parse(written)
    assert len(str(refused.value)) < 200


@given(st.text(max_size=70) | st.floats() | st.integers())
def test_whatever_is_given_is_a_moment_or_a_value_error(given: str | float) -> None:
    try:
        unix_ns = moments.parse(given)
    except ValueError:
        return
    assert 0 <= unix_ns <= UNIX_MAX_S * NS_PER_S
    assert moments.from_rfc3339(moments.to_rfc3339(unix_ns)) == unix_ns // 1000 * 1000

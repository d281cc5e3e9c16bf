"""Moments as callers write and read them: RFC 3339 in UTC, or seconds since 1970."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import StringConstraints, WithJsonSchema

from preroll.clock import NS_PER_S, UNIX_MAX_S

_RFC3339: Final = re.compile(
    r"^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$", re.ASCII
)
_UNIX: Final = r"\d{1,10}(\.\d{1,9})?"

# A moment in a query or a body. What cannot be said in its schema (no date after 2100) `parse` refuses.
MomentText = Annotated[
    str,
    StringConstraints(max_length=64),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 64,
            "anyOf": [{"format": "date-time"}, {"pattern": f"^{_UNIX}$"}],
        }
    ),
]


def to_rfc3339(unix_ns: int) -> str:
    """UTC with microseconds: `2026-03-01T12:00:00.000000Z`."""
    whole_s, rest_ns = divmod(unix_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(whole_s, UTC).isoformat()[:19]}.{rest_ns // 1000:06d}Z"


def from_rfc3339(text: str) -> int:
    """Nanoseconds since 1970; `ValueError` for a text that is no RFC 3339 moment with its offset from UTC."""
    found = _RFC3339.match(text)
    if found is None:
        raise ValueError(f"{text[:60]!r} is not an RFC 3339 moment such as 2026-03-01T12:00:00.250Z")
    date, clock, fraction, zone = found.groups()
    moment = datetime.fromisoformat(f"{date}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    rest_ns = int((fraction or ".0")[1:].ljust(9, "0"))
    return int(moment.timestamp()) * NS_PER_S + rest_ns


def parse(moment: str | float) -> int:
    """Nanoseconds since 1970 of a moment written either way; `ValueError` names the value and the rule."""
    if isinstance(moment, str):
        if re.fullmatch(_UNIX, moment, re.ASCII):
            whole, _, fraction = moment.partition(".")
            return _checked(int(whole) * NS_PER_S + int(fraction.ljust(9, "0") or 0), moment)
        return _checked(from_rfc3339(moment), moment)
    if not 0 <= moment <= UNIX_MAX_S:  # before it is reckoned with: NaN is in no range, and 1e303 µs are infinite
        raise _outside(moment)
    return round(moment * 1_000_000) * 1000


def _checked(unix_ns: int, given: str) -> int:
    if not 0 <= unix_ns <= UNIX_MAX_S * NS_PER_S:
        raise _outside(given)
    return unix_ns


def _outside(given: str | float) -> ValueError:
    return ValueError(f"{given!r:.60} is not between 0 and {UNIX_MAX_S} (the year 2100)")

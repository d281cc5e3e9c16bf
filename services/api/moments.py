"""Moments as callers write and read them: RFC 3339 in UTC, or seconds since 1970."""

import re
from datetime import UTC, datetime
from typing import Final

from preroll.clock import NS_PER_S, UNIX_MAX_S

_RFC3339: Final = re.compile(
    r"^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$", re.ASCII
)


def to_rfc3339(unix_ns: int) -> str:
    """UTC with microseconds: `2026-03-01T12:00:00.000000Z`."""
    whole_s, rest_ns = divmod(unix_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(whole_s, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns // 1000:06d}Z"


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
        if re.fullmatch(r"\d{1,10}(\.\d{1,9})?", moment, re.ASCII):
            whole, _, fraction = moment.partition(".")
            return _checked(int(whole) * NS_PER_S + int(fraction.ljust(9, "0") or 0), moment)
        return _checked(from_rfc3339(moment), moment)
    if moment != moment or moment in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN is not itself
        raise ValueError(f"{moment!r} is no moment")
    return _checked(round(moment * 1_000_000) * 1000, moment)


def _checked(unix_ns: int, given: str | float) -> int:
    if not 0 <= unix_ns <= UNIX_MAX_S * NS_PER_S:
        raise ValueError(f"{given!r} is not between 0 and {UNIX_MAX_S} (the year 2100)")
    return unix_ns

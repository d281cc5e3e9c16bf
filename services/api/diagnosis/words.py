"""Figures as a person says them. Pure."""

from collections.abc import Sequence
from typing import Final

from preroll.clock import NS_PER_S

NAMES_MAX: Final = 5
DAY_S: Final = 86_400
_UNITS: Final = (("days", DAY_S), ("hours", 3_600), ("minutes", 60))


def names(names: Sequence[str]) -> str:
    shown = list(names[:NAMES_MAX])
    return ", ".join(shown) + (f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else "")


def size(count: float) -> str:
    for unit, least in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= least:
            return f"{count / least:.3g} {unit}" if count < 1000 * least else f"{count / least:.0f} {unit}"
    return f"{count / 1000:.0f} kB"


def age(ns: int) -> str:
    for unit, length_s in _UNITS:
        if ns >= 2 * length_s * NS_PER_S:
            return f"{ns // (length_s * NS_PER_S)} {unit}"
    return f"{max(0, ns) // NS_PER_S} s"


def signed(ns: int) -> str:
    return f"{age(abs(ns))} {'ahead' if ns > 0 else 'behind'}"


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

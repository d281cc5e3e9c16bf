"""A clock that tests move by hand."""

from preroll.clock import NS_PER_S


class HandClock:
    """Stands still until told. The wall clock steps apart from the monotonic one with `step_wall`."""

    def __init__(self, monotonic_ns: int = 1_000 * NS_PER_S, unix_ns: int = 1_800_000_000 * NS_PER_S) -> None:
        self._monotonic_ns = monotonic_ns
        self._unix_ns = unix_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def unix_ns(self) -> int:
        return self._unix_ns

    def advance(self, s: float) -> None:
        self._monotonic_ns += round(s * NS_PER_S)
        self._unix_ns += round(s * NS_PER_S)

    def step_wall(self, s: float) -> None:
        self._unix_ns += round(s * NS_PER_S)

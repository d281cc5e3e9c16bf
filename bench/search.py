"""Looks for the largest count that is carried: doubling until one is not, then halving what is between. Pure."""

from typing import Final

STEPS: Final = 8  # the answer is known to within an eighth of the limit


class Search:
    """Asks for counts, is told of each whether it was carried. What may have been chance is tried once more."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._failures: dict[int, int] = {}
        self.limit = 0
        self._above: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether the largest count allowed was carried, so that the limit was not found."""
        return self._above is None

    def next_count(self) -> int | None:
        """The next count to try; `None` when it is known well enough."""
        again = [count for count, failures in self._failures.items() if failures == 1]
        if again:
            return again[0]
        if self._above is None:
            if self.limit >= self._count_max:
                return None
            return min(self._count_max, max(1, 2 * self.limit))
        if self._above - self.limit <= max(1, self.limit // STEPS):
            return None
        return (self.limit + self._above) // 2

    def tell(self, count: int, *, is_carried: bool, is_plain: bool = False) -> None:
        """The result of a count; `is_plain`: a failure that no second try would change."""
        if is_carried:
            self._failures.pop(count, None)
            self.limit = max(self.limit, count)
            return
        self._failures[count] = self._failures.get(count, 0) + (2 if is_plain else 1)
        if self._failures[count] > 1:
            self._above = count if self._above is None else min(self._above, count)

"""How many clients a stream serves at a time. To take a seat is to ask for one: nothing comes between the two."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.api.problems import Problem


class Seats:
    """Used from one event loop. A seat is held from before the first byte of an answer to its end."""

    def __init__(self, limit: int, refusal: str) -> None:
        """`refusal` says, in words, what is so when all are taken."""
        self.limit = limit
        self.taken = 0
        self._refusal = refusal

    def check(self) -> None:
        """`Problem` 503 when all are taken now. It saves the work for an answer that will be refused, and grants nothing."""
        if self.taken >= self.limit:
            raise Problem(503, "too_many_clients", self._refusal, headers={"Retry-After": "1"})

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold one; `Problem` 503 when all are taken."""
        self.check()
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

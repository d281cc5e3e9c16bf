"""Fixtures for all tests: nothing that a test started may outlive it."""

import threading
import weakref
from collections.abc import Iterator
from typing import Any, Final

import pytest
import zmq

from tests.support.waiting import NeverHappened, wait_until

LEAK_GRACE_S: Final = 3.0

_contexts: "weakref.WeakSet[zmq.Context[Any]]" = weakref.WeakSet()
_make_context: Final = zmq.Context.__init__


def _make_noted_context(self: "zmq.Context[Any]", *args: Any, **kwargs: Any) -> None:
    _make_context(self, *args, **kwargs)
    _contexts.add(self)


zmq.Context.__init__ = _make_noted_context  # type: ignore[method-assign]


def _open_contexts() -> set[int]:
    # A shadow is a view of a context that somebody else ends.
    return {id(context) for context in _contexts if not context.closed and not context._shadow}


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """A test fails when a thread that it started still runs."""
    before = set(threading.enumerate())
    yield
    leaked: list[str] = []

    def all_ended() -> bool:
        leaked[:] = [thread.name for thread in threading.enumerate() if thread not in before and thread.is_alive()]
        return not leaked

    try:
        wait_until(all_ended, LEAK_GRACE_S)
    except NeverHappened:
        pytest.fail(f"threads still run: {', '.join(leaked)}")


@pytest.fixture(autouse=True)
def no_leaked_contexts() -> Iterator[None]:
    """A test fails when a ZeroMQ context that it made is still open."""
    before = _open_contexts()
    yield
    leaked = _open_contexts() - before
    if leaked:
        pytest.fail(f"{len(leaked)} ZeroMQ context(s) not terminated")


@pytest.fixture
def context() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    """A ZeroMQ context that ends with the test, its sockets too."""
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)

"""Which connections are cut, and when."""

import socket
from collections.abc import Callable, Iterator

import pytest

from services.api.connections import BODY_S, REQUEST_S, Connection, Connections, State, Wait
from services.api.server import CONNECTIONS_MIN, RESERVED_DESCRIPTORS, room_for
from services.api.sources import SharedSources, source_of

Open = Callable[..., Connection]


@pytest.fixture
def connections() -> Connections:
    return Connections(most=4, send_timeout_s=15, shared=SharedSources("10.0.0.0/8"))


@pytest.fixture
def opened(connections: Connections) -> Iterator[Open]:
    made: list[Connection] = []

    def open_one(
        address: str = "192.0.2.1", since_s: float = 0, wait: Wait | None = "request", answered: int = 0
    ) -> Connection:
        connection = Connection(socket.socket(), (address, 1000 + len(made)), since_s)
        state: State = (wait, answered)
        connection.state = lambda: state
        connection._seen = state
        connection.answered = answered
        made.append(connection)
        connections.admit(connection, since_s)
        return connection

    yield open_one
    for connection in made:
        connection.socket.close()


def is_cut(connection: Connection) -> bool:
    return connection.socket.fileno() == -1


def test_the_one_that_has_been_idle_longest_is_cut(connections: Connections, opened: Open) -> None:
    newer, oldest, newest = (opened(f"192.0.2.{n}", since_s) for n, since_s in ((1, 5), (2, 1), (3, 9)))
    assert connections.cut_idle(10)
    assert list(map(is_cut, (newer, oldest, newest))) == [False, True, False]
    assert connections.cut["room"] == 1


def test_who_was_never_answered_is_cut_before_one_that_was_and_one_that_reads_slowly_last(
    connections: Connections, opened: Open
) -> None:
    slow = opened("192.0.2.1", 0, wait="reader", answered=1)
    known = opened("192.0.2.2", 1, answered=1)
    stranger = opened("192.0.2.3", 9)
    for expected in (stranger, known, slow):
        assert not is_cut(expected)
        assert connections.cut_idle(10)
        assert is_cut(expected)
    assert not connections.cut_idle(10)


def test_the_source_with_most_connections_loses_one_first(connections: Connections, opened: Open) -> None:
    single = opened("192.0.2.1", 0)
    first, second = opened("2001:db8::1", 1), opened("2001:db8::2", 2)  # of one network: one source
    assert connections.cut_idle(10)
    assert list(map(is_cut, (single, first, second))) == [False, True, False]


def test_who_has_just_come_has_time_to_say_what_it_wants(connections: Connections, opened: Open) -> None:
    newcomer = opened("192.0.2.1", 9.5)
    known = [opened(f"192.0.2.{n}", 5, answered=1) for n in (2, 3)]
    for expected in (*known, newcomer):
        assert not is_cut(newcomer)
        assert connections.cut_idle(10)
        assert is_cut(expected)
    first, second = opened("192.0.2.4", 9.6, answered=1), opened("192.0.2.4", 9.7)
    assert connections.cut_idle(10)
    assert list(map(is_cut, (first, second))) == [True, False]


def test_a_connection_that_is_being_answered_is_not_cut(connections: Connections, opened: Open) -> None:
    for _ in range(4):
        opened("10.0.0.1", wait=None)
    assert connections.is_full
    assert not connections.cut_idle(1000)
    connections.sweep(1000)
    assert len(connections) == 4


def test_half_of_the_places_are_left_to_other_sources(connections: Connections, opened: Open) -> None:
    busy = [opened("192.0.2.1", wait=None) for _ in range(3)]
    assert list(map(is_cut, busy)) == [False, False, True]
    idle = [opened("192.0.2.2", n) for n in range(3)]
    assert list(map(is_cut, idle)) == [True, False, False]
    assert connections.cut["source"] == 2


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3"])
def test_this_machine_and_a_proxy_stand_for_many(connections: Connections, opened: Open, address: str) -> None:
    assert not any(map(is_cut, [opened(address, wait=None) for _ in range(4)]))


@pytest.mark.parametrize(("wait", "limit_s"), [("request", REQUEST_S), ("body", BODY_S), ("reader", 15.0)])
def test_each_wait_has_its_limit(connections: Connections, opened: Open, wait: Wait, limit_s: float) -> None:
    connection = opened(wait=wait)
    connections.sweep(limit_s)
    assert not is_cut(connection)
    connections.sweep(limit_s + 1)
    assert is_cut(connection)
    assert (connections.cut[wait], len(connections)) == (1, 0)


def test_progress_begins_the_wait_anew(connections: Connections, opened: Open) -> None:
    connection = opened(wait="reader")
    for unsent in range(100, 0, -1):
        connection.state = lambda unsent=unsent: ("reader", unsent)  # type: ignore[misc]
        connections.sweep(1000 - 10 * unsent)
    assert not is_cut(connection)


def test_what_was_cut_is_told_at_most_once_a_minute(
    connections: Connections, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    for second in range(1, 121):
        opened(f"192.0.2.{second}", second)
        connections.cut_idle(second)
        connections.sweep(second)
    told = [record.fields for record in caplog.records]  # type: ignore[attr-defined]
    assert [fields["room"] for fields in told] == [1, 60]


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("unknown", "unknown"),
    ],
)
def test_a_source_is_an_address_or_the_network_of_one_host(address: str, source: str) -> None:
    assert source_of(address) == source


def test_there_are_as_many_connections_as_descriptors_allow() -> None:
    assert room_for(512, None) == room_for(512, 65_536) == 512
    assert room_for(512, 1024) == (1024 - RESERVED_DESCRIPTORS) // 2
    assert room_for(512, 64) == CONNECTIONS_MIN

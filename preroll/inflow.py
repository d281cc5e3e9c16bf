"""Finds the peers that fill the memory of a service with messages that they never end, and cuts their connections.

libzmq holds the parts of a message until the last one has come, and bounds neither their number nor their sum: its limits
are for whole messages (HWM) and for single parts (MAXMSGSIZE). One peer brings in 600 MB within a second. So the resident
memory is looked at ten times a second. Where it exceeds what is known to be needed, the connections' own counts of bytes
tell who it was. A connection that is cut has its parts freed by libzmq; closing the socket instead leaks them (4.3.5).
"""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Protocol

from preroll.clock import NS_PER_S
from preroll.linux import connections, malloc
from preroll.linux.connections import Connection
from preroll.logs import fields
from preroll.process import Shutdown, resident_bytes

log = logging.getLogger(__name__)

MB: Final = 1_000_000
ALLOWED_BYTES: Final = 64 * MB  # beyond what was needed before
SENT_MIN_BYTES: Final = 4 * MB  # between two looks: faster than this is worth a look at single peers
HURRY_BYTES: Final = 2 * ALLOWED_BYTES
SLOW_NS: Final = NS_PER_S
IDLE_NS: Final = 12 * NS_PER_S // 10  # every peer that is well says something once a second
IDLE_MIN_BYTES: Final = 32 * MB
FREED_TRIES: Final = 10
FREED_PAUSE_S: Final = 0.005
QUICK_S: Final = 0.02  # in which a peer that fills the memory quickly shows itself
TRIMS: Final = 5
LOOK_EVERY_S: Final = 0.1
_SHARE: Final = 4


class Tcp(Protocol):
    """What is asked of the system's connections."""

    def accepted(self, ports: Collection[int]) -> list[Connection]: ...

    def cut(self, ports: Collection[int], inodes: Collection[str]) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class _Alarm:
    """How things were when too much was noticed."""

    since_ns: int
    beyond_bytes: int
    admitted_bytes: int
    received: dict[str, int]


class Inflow:
    """Looks at one process and its bound TCP ports. To be asked by one thread, about ten times a second."""

    def __init__(
        self,
        ports: Collection[int],
        drain_s: float,
        tcp: Tcp = connections,
        resident: Callable[[], int] = resident_bytes,
        trim: Callable[[], object] | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`drain_s`: for how long whole messages may wait to be taken, and their memory is nobody's fault."""
        self.cut = 0
        self._ports = frozenset(ports) - {0}
        self._drain_ns = round(drain_s * NS_PER_S)
        self._tcp = tcp
        self._resident = resident
        self._trim = trim or malloc.trimmer() or (lambda: None)
        self._pause = pause
        self._needed_bytes: int | None = None
        self._alarm: _Alarm | None = None
        self._trims_due = 0

    def look(self, now_ns: int, held_bytes: int, admitted_bytes: int, is_drained: Callable[[], bool]) -> None:
        """Cut whoever fills the memory. Some ten microseconds while all is well.

        `held_bytes` is memory that is accounted for, `admitted_bytes` all that was ever taken from these ports.
        `is_drained` says whether no whole message waits to be taken.
        """
        if self._trims_due:
            self._trims_due -= 1
            self._trim()
        if not self._is_exceeded(held_bytes):
            self._alarm = None
        elif self._alarm is None:
            received = {each.inode: each.received_bytes for each in self._tcp.accepted(self._ports)}
            self._trim()
            if self._is_exceeded(held_bytes):
                self._alarm = _Alarm(now_ns, self._resident() - held_bytes, admitted_bytes, received)
                self._pause(QUICK_S)
                if is_drained():
                    self._judge(self._alarm, now_ns, held_bytes, admitted_bytes)
        elif now_ns - self._alarm.since_ns > self._drain_ns or is_drained():
            self._judge(self._alarm, now_ns, held_bytes, admitted_bytes)

    def watch(self, shutdown: Shutdown, admitted: Callable[[], int], is_drained: Callable[[], bool]) -> None:
        """Look until the shutdown is requested, on a thread of its own: the service may be busy when it happens."""
        while not shutdown.wait(LOOK_EVERY_S):
            try:
                self.look(time.monotonic_ns(), 0, admitted(), is_drained)
            except Exception:
                log.exception("the inflow was not looked at")
                shutdown.wait(10 * LOOK_EVERY_S)

    def _is_exceeded(self, held_bytes: int) -> bool:
        resident = self._resident()
        if not resident:  # it cannot be read
            return False
        beyond = resident - held_bytes
        if self._needed_bytes is None or beyond < self._needed_bytes:
            self._needed_bytes = beyond
        return beyond > self._needed_bytes + ALLOWED_BYTES

    def _judge(self, alarm: _Alarm, now_ns: int, held_bytes: int, admitted_bytes: int) -> None:
        passed_ns = now_ns - alarm.since_ns
        found = self._tcp.accepted(self._ports)
        sent = {each.inode: each.received_bytes - alarm.received.get(each.inode, 0) for each in found}
        lost_bytes = sum(sent.values()) - (admitted_bytes - alarm.admitted_bytes)
        beyond = self._resident() - held_bytes
        assert self._needed_bytes is not None
        quick = {inode for inode, count in sent.items() if count >= max(SENT_MIN_BYTES, lost_bytes // _SHARE)}
        if quick and lost_bytes >= SENT_MIN_BYTES:
            self._cut(quick, held_bytes)
            self._alarm = None  # whoever else there is, is found by the next looks
            return
        is_grown = lost_bytes >= max(MB, (beyond - alarm.beyond_bytes) // 2)
        if is_grown and (passed_ns >= SLOW_NS or beyond > self._needed_bytes + HURRY_BYTES):
            self._cut(set(sent), held_bytes)
        elif passed_ns >= IDLE_NS:
            idle = {each.inode: each.received_bytes for each in found if sent[each.inode] == 0}
            if sum(idle.values()) >= IDLE_MIN_BYTES:
                self._cut(set(idle), held_bytes)
        else:
            return
        # What is there still did not come from outside, or nobody can be found: it is needed from now on.
        self._alarm = None
        if self._is_exceeded(held_bytes):
            self._needed_bytes = self._resident() - held_bytes
            log.info("more memory is needed than before", extra=fields(bytes=self._needed_bytes))

    def _cut(self, inodes: Collection[str], held_bytes: int) -> None:
        peers = self._tcp.cut(self._ports, inodes)
        self.cut += len(peers)
        log.warning(
            "connections cut: they filled the memory with messages that do not end",
            extra=fields(connections=len(peers), peers=", ".join(peers)[:500], ports=", ".join(map(str, self._ports))),
        )
        self._trims_due = TRIMS  # libzmq goes on freeing for a while
        for _ in range(FREED_TRIES):
            self._pause(FREED_PAUSE_S)
            self._trim()
            if not self._is_exceeded(held_bytes):
                return

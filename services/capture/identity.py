"""The name of a camera that was given none.

Under Docker every container of a user-defined network can ask the embedded DNS server for its own name, which carries
what Compose calls the replica: `preroll-capture-3.preroll_default`. /etc/hosts maps the same address to the
container's id, so the system's resolver, which reads that first, is not asked.
"""

import os
import re
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

DOCKER_DNS: Final = "127.0.0.11"
LOOKUP_TIMEOUT_S: Final = 1.0
_PTR: Final = 12
_IN: Final = 1


def default_camera_id() -> str:
    """The replica's name under Compose, else the process's name under honcho, else the host's name."""
    return choose(replica_name(), os.environ, socket.gethostname())


def choose(replica: str | None, environment: Mapping[str, str], host: str) -> str:
    """A camera id out of what is known. Pure."""
    if replica is not None:
        return sanitised(without_project(replica))
    return sanitised(environment.get("HONCHO_PROCESS_NAME", "") or host.split(".", 1)[0])


def sanitised(name: str) -> str:
    """The name with every run of characters that a camera id cannot have made a hyphen; `camera` when nothing is left."""
    kept = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_")[:63].rstrip("-_")
    return kept or "camera"


def without_project(full_name: str) -> str:
    """`preroll-capture-3.preroll_default` as `capture-3`; a name without a project stays whole.

    A Compose network is called after its project too, which is how the project is told from the service: both may
    have hyphens and underscores.
    """
    host, _, network = full_name.partition(".")
    parts = network.split("_")
    for count in range(len(parts) - 1, 0, -1):
        project = "_".join(parts[:count])
        for separator in ("-", "_"):
            prefix = project + separator
            if host.startswith(prefix) and len(host) > len(prefix):
                return host[len(prefix) :]
    return host


def replica_name(resolv_conf: Path = Path("/etc/resolv.conf")) -> str | None:
    """This container's full name by Docker's embedded DNS server, or `None` when there is none or it does not say."""
    try:
        if f"nameserver {DOCKER_DNS}" not in resolv_conf.read_text():
            return None
        address = socket.gethostbyname(socket.gethostname())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(LOOKUP_TIMEOUT_S)
            number = secrets.token_bytes(2)
            asking.sendto(pointer_query(number, address), (DOCKER_DNS, 53))
            return pointer_answer(asking.recv(1500), number)
    except OSError:
        return None


def pointer_query(number: bytes, address: str) -> bytes:
    """The DNS question for the name of an IPv4 address (RFC 1035, sections 3.5 and 4.1)."""
    labels = [*reversed(address.split(".")), "in-addr", "arpa"]
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    return number + b"\x01\0\0\x01\0\0\0\0\0\0" + name + bytes([0, _PTR, 0, _IN])


def pointer_answer(data: bytes, number: bytes) -> str | None:
    """The first name in a DNS answer, or `None` when it holds none or is malformed."""
    try:
        if data[:2] != number or data[3] & 0x0F:
            return None
        at = 12
        for _ in range(int.from_bytes(data[4:6], "big")):
            at = _name_at(data, at)[1] + 4
        for _ in range(int.from_bytes(data[6:8], "big")):
            at = _name_at(data, at)[1]
            kind = int.from_bytes(data[at : at + 2], "big")
            length = int.from_bytes(data[at + 8 : at + 10], "big")
            if kind == _PTR:
                return _name_at(data, at + 10)[0] or None
            at += 10 + length
    except (IndexError, UnicodeDecodeError):
        return None
    return None


def _name_at(data: bytes, at: int) -> tuple[str, int]:
    """A possibly compressed name, and where the field behind it begins."""
    labels: list[str] = []
    behind: int | None = None
    for _ in range(64):  # a bound, as compression pointers may form a loop
        length = data[at]
        if length >= 0xC0:
            behind = at + 2 if behind is None else behind
            at = (length & 0x3F) << 8 | data[at + 1]
        elif length == 0:
            return ".".join(labels), (at + 1 if behind is None else behind)
        else:
            labels.append(data[at + 1 : at + 1 + length].decode("ascii"))
            at += 1 + length
    raise IndexError("compression loop")

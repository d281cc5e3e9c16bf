"""Which addresses other machines can reach. Pure."""

import ipaddress
from typing import Final

LOCAL_NAMES: Final = frozenset({"localhost", "ip6-localhost"})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host` (an address, or the name localhost)."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() in LOCAL_NAMES


def stays_on_this_machine(zmq_address: str) -> bool:
    """Whether only this machine can reach what a ZeroMQ socket binds to `zmq_address`."""
    transport, _, rest = zmq_address.partition("://")
    return transport in {"ipc", "inproc"} or (transport == "tcp" and is_loopback(rest.rpartition(":")[0]))

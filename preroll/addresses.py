"""Which addresses other machines can reach, and how an address is shown: never with a password. Pure."""

import ipaddress
import re
from typing import Final

LOCAL_NAMES: Final = frozenset({"localhost", "ip6-localhost"})
HIDDEN: Final = "***"

# The user's part is taken to end at the last @ before a host that the line has, or before its next address: passwords
# with a bare @, / or space are common in cameras' addresses, and hiding too much of a message is the lesser fault.
_SCHEME: Final = r"[a-zA-Z][a-zA-Z0-9+.-]*://"
_PASSWORD: Final = rf"(?:(?!\b{_SCHEME})[^\n])*@(?=[\w\[])"
_USER_PART: Final = re.compile(
    rf"(?P<scheme>{_SCHEME})(?:(?P<user>[^:/\n'\"]*):{_PASSWORD}|(?P<other>\S*)@)"  # the other may hold a :// itself
)
_USER_PART_WITHOUT_SCHEME: Final = re.compile(  # or with one that was mistyped
    rf"(?P<user>[^\s:/'\"]+):(?!//)(?:{_PASSWORD}|\S*@)"
)
_SECRET_FIELD: Final = re.compile(
    r"(?P<name>[?&;][^=&;#\s]*(?:pass|pwd|pw|token|secret|key|auth|sig)[^=&;#\s]*=)[^&;#\s'\"]*", re.IGNORECASE
)


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


def without_password(text: str) -> str:
    """The text with the password of every URL in it, and every query field that sounds like a secret, shown as `***`."""

    def hide(match: re.Match[str]) -> str:
        user, colon = (match["user"], ":") if match["user"] is not None else match["other"].partition(":")[:2]
        return f"{match['scheme']}{user}{colon and ':' + HIDDEN}@"

    if "@" in text:
        text = _USER_PART_WITHOUT_SCHEME.sub(rf"\g<user>:{HIDDEN}@", _USER_PART.sub(hide, text))
    return _SECRET_FIELD.sub(lambda match: match["name"] + HIDDEN, text)

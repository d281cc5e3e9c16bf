"""The name in a Host header, and whether a browser may have been lured to it. Pure.

The forms are those of RFC 9110, section 7.2, and RFC 3986, section 3.2.2, and no more: what browsers, proxies and this
program read differently is refused. Left out are user parts, zone ids and percent-encodings, which no Host header has.
"""

import ipaddress
import re
from typing import Final

_AUTHORITY: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::(?P<port>\d{0,5}))?", re.ASCII
)
_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
_PORT_MAX: Final = 65_535


class MalformedHost(ValueError):
    """A text that is no host with an optional port."""


def name_in(host_header: str) -> str:
    """The name or address in a Host header, without its port, in lower case; `MalformedHost` for every other text."""
    found = _AUTHORITY.fullmatch(host_header)
    if found is None or int(found["port"] or 0) > _PORT_MAX:
        raise MalformedHost(f"Host {host_header[:100]!r} is no host name or address with an optional port")
    try:
        if found["v6"] is not None:
            return str(ipaddress.IPv6Address(found["v6"]))
        name = found["name"].lower()
        labels = name.removesuffix(".").split(".")
        if _NUMBER.fullmatch(labels[-1]):  # what ends in a number is an IPv4 address to a browser, in any notation
            return str(ipaddress.IPv4Address(name))
    except ValueError as err:
        raise MalformedHost(f"Host {host_header[:100]!r} is no valid address: {err}"[:300]) from None
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise MalformedHost(f"Host {host_header[:100]!r} is no valid host name")
    return name


def cannot_be_rebound(name: str) -> bool:
    """Whether no stranger can make this name point here: an address, localhost, or a name without a dot.

    `name` is as `name_in` gives it. DNS rebinding needs a public name under the attacker's control; such a name has a dot.
    """
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(".localhost")
    return True

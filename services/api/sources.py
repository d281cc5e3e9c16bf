"""Who counts as one stranger: an IPv4 address, or the /64 of an IPv6 one. Pure.

A host with IPv6 has the whole /64 to itself (RFC 6177) and may come from another address of it each time.
"""

import ipaddress
from typing import Final

_SHARED_BITS: Final = 64


def source_of(address: str) -> str:
    """The name under which connections and wrong keys from `address` are counted; a text that is no address is its own."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _SHARED_BITS), strict=False)) if not parsed.is_loopback else "::1"
    return str(parsed)


class SharedSources:
    """Sources that stand for many people: this machine itself, and reverse proxies. No bound by source holds for them."""

    def __init__(self, proxies: str | None) -> None:
        """`proxies` as in `PREROLL_API_TRUSTED_PROXIES`: addresses or networks, with commas."""
        self._networks = [ipaddress.ip_network(part.strip()) for part in (proxies or "").split(",") if part.strip()]

    def __contains__(self, address: object) -> bool:
        try:
            parsed = ipaddress.ip_address(str(address).partition("%")[0])
        except ValueError:
            return False
        return parsed.is_loopback or any(parsed in network for network in self._networks)

"""Which names a browser may have been lured to. Pure."""

import ipaddress


def name_in(host_header: str) -> str:
    """The name or address in a Host header or an authority, without its port, in lower case."""
    text = host_header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


def cannot_be_rebound(name: str) -> bool:
    """Whether no stranger can make this name point here: an address, localhost, or a name without a dot.

    DNS rebinding needs a public name under the attacker's control; such a name has a dot.
    """
    bare = name.rstrip(".")
    if not bare or name != bare:
        return False
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return "." not in bare or bare.endswith(".localhost")
    return True

"""The answer to a camera that asks who is there: Digest (RFC 7616) where it is offered, else Basic (RFC 7617).

Pure: the client's nonce is an argument.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.request import parse_http_list, parse_keqv_list

# MD5 is what cameras speak; it is their choice of protocol, not ours of a hash.
_DIGESTS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "sha-256": lambda data: hashlib.sha256(data).hexdigest(),
}


def authorization(challenges: Iterable[str], uri: str, user: str, password: str, client_nonce: str) -> str | None:
    """The Authorization header for a GET of `uri`, or `None` when no challenge is one that is understood."""
    basic: str | None = None
    for challenge in challenges:
        scheme, _, rest = challenge.strip().partition(" ")
        if scheme.lower() == "digest":
            answer = _digest(_fields(rest), uri, user, password, client_nonce)
            if answer is not None:
                return answer
        elif scheme.lower() == "basic":
            basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return basic


def _fields(text: str) -> dict[str, str]:
    pairs = [item for item in parse_http_list(text) if "=" in item]
    return {name.lower(): value for name, value in parse_keqv_list(pairs).items()}


def _digest(fields: Mapping[str, str], uri: str, user: str, password: str, client_nonce: str) -> str | None:
    algorithm = fields.get("algorithm", "MD5")
    digest = _DIGESTS.get(algorithm.lower())
    nonce, realm = fields.get("nonce"), fields.get("realm", "")
    qops = {qop.strip().lower() for qop in fields.get("qop", "").split(",") if qop.strip()}
    if digest is None or nonce is None or (qops and "auth" not in qops):
        return None
    secret = digest(f"{user}:{realm}:{password}".encode())
    request = digest(f"GET:{uri}".encode())
    said = {"username": user, "realm": realm, "nonce": nonce, "uri": uri}
    if qops:
        said["response"] = digest(f"{secret}:{nonce}:00000001:{client_nonce}:auth:{request}".encode())
        said["cnonce"] = client_nonce
    else:
        said["response"] = digest(f"{secret}:{nonce}:{request}".encode())
    if "opaque" in fields:
        said["opaque"] = fields["opaque"]
    text = ", ".join(f'{name}="{_quoted(value)}"' for name, value in said.items())
    return f"Digest {text}, algorithm={algorithm}" + (", qop=auth, nc=00000001" if qops else "")


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')

"""Who may do what: keys for machines, signed cookies for browsers, two roles.

The times are the caller's monotonic and Unix seconds. Keys are compared in constant time and never stored in a cookie:
a cookie is a role, an expiry and a random name, signed with a key that is derived from that role's key and its epoch. So
a session ends when its key is changed or a new epoch begins, and outlives a restart, as does its end by signing out.
"""

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal

from services.api.session_file import SessionFile

Role = Literal["operate", "look", "anonymous"]

COOKIE: Final = "preroll_session"
SESSION_S: Final = 7 * 86_400
FAILURES_MAX: Final = 10  # different wrong keys in a minute, by address
FAILURES_WINDOW_S: Final = 60.0
ADDRESSES_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that are set. Without the operating one, everybody operates."""

    operate: str | None
    look: str | None

    @property
    def are_set(self) -> bool:
        return self.operate is not None

    def role_of(self, presented: str) -> Role | None:
        """The role that a presented key gives, in a time that does not tell how near a wrong one was."""
        given = presented.encode("utf-8", "replace")
        found: Role | None = None
        for role, key in (("look", self.look), ("operate", self.operate)):
            if key is not None and hmac.compare_digest(hashlib.sha256(given).digest(), _digest(key)):
                found = "operate" if role == "operate" else "look"
        return found


class Sessions:
    """Makes and judges the cookies of browsers that have signed in."""

    def __init__(self, keys: Keys, file: SessionFile) -> None:
        self._keys = {role: key for role, key in (("operate", keys.operate), ("look", keys.look)) if key is not None}
        self._file = file

    def cookie_for(self, role: Role, unix_s: float) -> str:
        said = f"{role}.{int(unix_s) + SESSION_S}.{secrets.token_hex(8)}"
        return f"{said}.{self._signature(role, said)}"

    def role_of(self, cookie: str, unix_s: float) -> Role | None:
        """The role of a cookie that is ours, not expired and not signed out; else `None`."""
        known = self._known(cookie)
        if known is None:
            return None
        role, expires_unix_s, name = known
        if expires_unix_s <= unix_s or self._file.is_signed_out(role, name):
            return None
        return role

    def sign_out(self, cookie: str) -> None:
        """End a session for good. Writes to disk; nothing for a cookie that is not ours. `SignOutNotKept`."""
        known = self._known(cookie)
        if known is not None:
            role, _, name = known
            self._file.sign_out(role, name)

    def _known(self, cookie: str) -> tuple[Role, int, str] | None:
        """Role, expiry and name of a cookie that was signed here."""
        said, _, signature = cookie.rpartition(".")
        role, _, rest = said.partition(".")
        expires, _, name = rest.partition(".")
        if role not in self._keys or not cookie.isascii():
            return None
        if not hmac.compare_digest(signature, self._signature(role, said)):
            return None
        return "operate" if role == "operate" else "look", int(expires), name

    def _signature(self, role: str, said: str) -> str:
        signing = hmac.digest(
            self._keys[role].encode(), f"preroll session 2 {self._file.epoch(role)}".encode(), "sha256"
        )
        return base64.urlsafe_b64encode(hmac.digest(signing, said.encode(), "sha256")).decode().rstrip("=")


class Failures:
    """Counts different wrong keys by address, so that guessing is slow.

    The same wrong key again is no guess: a machine that was given it must not lock out those who share its address.
    """

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._by_address: OrderedDict[str, dict[bytes, float]] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> float:
        """Seconds until this address may present a key again; 0 when it may now."""
        guesses = self._recent(address, now_s)
        return 0.0 if len(guesses) < FAILURES_MAX else min(guesses.values()) + FAILURES_WINDOW_S - now_s

    def note(self, address: str, wrong_key: str, now_s: float) -> None:
        # Not the key itself: it may be the right one with a slip.
        guess = hashlib.blake2b(wrong_key.encode("utf-8", "replace"), key=self._salt, digest_size=8).digest()
        guesses = self._recent(address, now_s)
        guesses.setdefault(guess, now_s)
        self._by_address[address] = guesses
        self._by_address.move_to_end(address)
        while len(self._by_address) > ADDRESSES_MAX:
            self._by_address.popitem(last=False)

    def _recent(self, address: str, now_s: float) -> dict[bytes, float]:
        known = self._by_address.get(address, {})
        return {guess: at for guess, at in known.items() if at > now_s - FAILURES_WINDOW_S}


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()

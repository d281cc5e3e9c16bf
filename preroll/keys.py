"""CURVE keys in files: who a service is, whom it trusts, and whom it lets in.

    public/<name>.server, public/<name>.client    what everybody may know: exactly these are trusted and let in
    <name>/server.secret, <name>/client.secret    what only that one may read

A name is a service (`recorder`, `api`), a camera, or `capture`, which the cameras without keys of their own share; what a
name may do is in `preroll.security.permissions`. A file holds one key: 40 characters of Z85 and a newline. Nobody's secret
is needed to let him in, so each machine or container gets `public` and its own folder.
"""

import contextlib
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import zmq

SERVICES: Final = ("recorder", "api", "capture")
BINDING_SERVICES: Final = ("recorder", "api")
PUBLIC: Final = "public"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
KEY_CHARS: Final = 40


class KeysUnusable(ValueError):
    """Key files that are missing, unreadable or no keys. The operator must act; no key is ever in the message."""


class KeysExist(ValueError):
    """A pair of that name is there already."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A CURVE key pair, both keys in Z85."""

    public: bytes
    secret: bytes = field(repr=False)

    @classmethod
    def read(cls, secret_path: Path) -> Self:
        """The pair whose secret key a file holds; `KeysUnusable`."""
        secret = _read_key(secret_path)
        return cls(zmq.curve_public(secret), secret)


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """What a socket needs to connect to one server: its own pair and the public key of that server."""

    own: Pair
    server_public: bytes


@dataclass(frozen=True, slots=True)
class Keys:
    """All that one service has."""

    folder: Path
    name: str  # of the folder with the secrets
    server: Pair
    client: Pair
    servers: Mapping[str, bytes]

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        """The keys of `name` in `folder`, and the servers that it can connect to; `KeysUnusable`."""
        public = folder / PUBLIC
        return cls(
            folder,
            name,
            Pair.read(folder / name / "server.secret"),
            Pair.read(folder / name / "client.secret"),
            {service: _read_key(public / f"{service}.server") for service in BINDING_SERVICES},
        )

    def toward(self, service: str) -> ClientKeys:
        """What a socket needs to connect to `recorder` or `api`."""
        return ClientKeys(self.client, self.servers[service])

    def exposed(self) -> list[str]:
        """The files by which everybody on this machine can speak in this name, or let himself in: a line for each."""
        if sys.platform == "win32":  # there the mode says nothing
            return []
        own, public = self.folder / self.name, self.folder / PUBLIC
        return [
            *_permits([own / "server.secret", own / "client.secret"], stat.S_IROTH, "read"),
            *_permits([self.folder, own, public, *sorted(public.glob("*.client"))], stat.S_IWOTH, "write"),
        ]


def is_key(text: bytes) -> bool:
    """Whether `text` is a key, public or secret, in Z85."""
    try:
        if len(text) == KEY_CHARS:
            zmq.curve_public(text)  # of the public ones too: it refuses what is no Z85
            return True
    except (ValueError, zmq.ZMQError):
        pass
    return False


def write_pairs(folder: Path, names: Iterable[str] = SERVICES) -> list[Path]:
    """Make a server's and a client's pair for each name; the paths written. Only their owner can read the secrets.

    `ValueError` when a name is none, `KeysExist` when one has keys already: then nothing is written.
    """
    chosen = list(dict.fromkeys(names))
    for name in chosen:
        if not NAME.fullmatch(name) or name == PUBLIC:
            raise ValueError(f"{name[:80]!r} is no name for keys: a-z 0-9 _ -, at most 63, and not {PUBLIC!r}")
    public = folder / PUBLIC
    for name in chosen:
        for path in (folder / name / "server.secret", folder / name / "client.secret"):
            if os.path.lexists(path):
                raise KeysExist(f"{path} is there already; keys are never overwritten")
        for path in (public / f"{name}.server", public / f"{name}.client"):
            if os.path.lexists(path):
                raise KeysExist(f"{path} is there already; keys are never overwritten")
    public.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name in chosen:
        (folder / name).mkdir(mode=0o700, exist_ok=True)
        for role in ("server", "client"):
            public_key, secret_key = zmq.curve_keypair()
            written += [
                _write_new(folder / name / f"{role}.secret", secret_key, 0o600),
                _write_new(public / f"{name}.{role}", public_key, 0o644),
            ]
    return written


def _read_key(path: Path) -> bytes:
    try:
        key = path.read_bytes().strip()
    except OSError as err:
        raise KeysUnusable(f"{path} cannot be read: {err.strerror}") from None
    if not is_key(key):
        raise KeysUnusable(f"{path} holds no key of {KEY_CHARS} Z85 characters")
    return key


def _permits(paths: Iterable[Path], mode: int, what: str) -> Iterator[str]:
    for path in paths:
        with contextlib.suppress(OSError):
            found = stat.S_IMODE(path.stat().st_mode)
            if found & mode:
                yield f"{path} has mode {found:04o}: everybody on this machine may {what} it"


def _write_new(path: Path, key: bytes, mode: int) -> Path:
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(key + b"\n")
    return path


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m preroll.keys FOLDER [NAME...]")
    try:
        for made in write_pairs(Path(sys.argv[1]), sys.argv[2:] or SERVICES):
            print(made)
    except (OSError, ValueError) as fault:
        sys.exit(str(fault))

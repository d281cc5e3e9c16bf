"""The clients that are known: the files `public/<name>.client`, read again whenever one of them has changed.

One file that cannot be used costs its own name only. Its name counts as taken all the same, so that no other key speaks
in its place.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from preroll.keys import KEY_CHARS, NAME, KeysUnusable, is_key

SUFFIX: Final = ".client"
_Version = tuple[int, int, int, int]  # time of its content, of its inode, the inode, bytes
_UNREAD: Final[_Version] = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Clients:
    """Who is known, as the folder said at one moment.

    `names` are those with a file of their own; `by_key` gives the name of each usable key (Z85). `faults` says which files
    are unusable, and why; no key is ever in it.
    """

    names: frozenset[str] = frozenset()
    by_key: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    def key_of(self, name: str | None) -> str | None:
        """The usable key of that name."""
        return next((key for key, owner in self.by_key.items() if owner == name), None)


@dataclass(frozen=True, slots=True)
class _Read:
    """What one file held. `key` is `None` when that was no key."""

    version: _Version
    key: str | None
    fault: str = ""


class ClientFiles:
    """Reads the folder `public`. One thread uses it."""

    def __init__(self, public: Path) -> None:
        self._public = public
        self._files: dict[str, _Read] = {}
        self._clients = Clients()

    def read(self) -> Clients:
        """Who is known now: the same object for as long as nothing has changed. `KeysUnusable` without the folder."""
        try:
            with os.scandir(self._public) as found:
                entries = sorted(
                    (entry for entry in found if entry.name.endswith(SUFFIX)), key=lambda entry: entry.name
                )
        except OSError as err:
            raise KeysUnusable(f"{self._public} cannot be read: {err.strerror}") from None
        named = [(entry.name.removesuffix(SUFFIX), entry) for entry in entries]
        self._files = {name: self._read_one(name, entry) for name, entry in named if NAME.fullmatch(name)}
        odd = [name for name, _ in named if name not in self._files]
        clients = self._put_together([f"{self._public}: {name + SUFFIX!r} is ignored: it names no key" for name in odd])
        if clients != self._clients:
            self._clients = clients
        return self._clients

    def _put_together(self, faults: list[str]) -> Clients:
        by_key: dict[str, str] = {}
        shared: set[str] = set()
        for name, file in self._files.items():
            if file.fault:
                faults.append(file.fault)
            if file.key is None:
                continue
            if file.key in by_key:
                shared.add(file.key)
                faults.append(
                    f"{self._public}: {by_key[file.key]}{SUFFIX} and {name}{SUFFIX} hold the same key, so neither is let"
                    " in; each name needs a pair of its own"
                )
            by_key.setdefault(file.key, name)
        usable = {key: name for key, name in by_key.items() if key not in shared}
        return Clients(frozenset(self._files), usable, tuple(faults))

    def _read_one(self, name: str, path: os.DirEntry[str]) -> _Read:
        before = self._files.get(name)
        try:
            now = path.stat()
            version = (now.st_mtime_ns, now.st_ctime_ns, now.st_ino, now.st_size)
            if before is not None and before.version == version:
                return before
            content = b""
            if stat.S_ISREG(now.st_mode):  # to open a pipe would be to wait for its writer
                with Path(path).open("rb") as file:
                    content = file.read(KEY_CHARS + 3)
        except OSError as err:
            # Nobody is shut out because a disk, or a limit on descriptors, fails at this moment.
            return _Read(_UNREAD, before.key if before else None, f"{path.path} cannot be read: {err.strerror}")
        key = content.strip()
        if not is_key(key):
            return _Read(version, None, f"{path.path} holds no key of {KEY_CHARS} Z85 characters")
        return _Read(version, key.decode())

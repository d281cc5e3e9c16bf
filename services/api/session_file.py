"""What must outlive the API of its browsers' sessions: who has signed out. One file, a JSON object a line.

Each role has an epoch, a random text with which its cookies are signed, and the names of the sessions of that epoch that
were signed out. Rule: in doubt a new epoch begins. All of that role then sign in again, and none who signed out is let in.
So it is where the file is missing, cannot be read whole or cannot be written, and where more have signed out than are
remembered: those may not push one another out. No clock is asked, since it may be wrong and come back.
"""

import contextlib
import json
import logging
import os
import secrets
import threading
from pathlib import Path
from typing import Any, Final

from preroll.logs import fields

log = logging.getLogger(__name__)

NAME: Final = "sessions.jsonl"
SIGNED_OUT_MAX: Final = 4_096  # of one role
_SIZE_MAX_BYTES: Final = 4_000_000
ROLES: Final = ("operate", "look")


class SignOutNotKept(OSError):
    """A sign-out is in force, and would not outlive the process."""


class SessionFile:
    """The epochs and the sign-outs. Safe to use from several threads."""

    def __init__(self, folder: Path | None) -> None:
        """Read what the folder has. With none, or one that cannot be written, sessions end with the process."""
        self._path = None if folder is None else folder / NAME
        self._lock = threading.Lock()
        self._is_kept = True  # all that was signed out is in the file
        self._epochs: dict[str, str] = {}
        self._signed_out: dict[str, dict[str, None]] = {}
        self._begin()
        if self._path is not None:
            self._take_up(self._path)

    def epoch(self, role: str) -> str:
        return self._epochs[role]

    def is_signed_out(self, role: str, name: str) -> bool:
        return name in self._signed_out[role]

    def sign_out(self, role: str, name: str) -> None:
        """Durable on return; `SignOutNotKept` where it is in force only until the process ends."""
        with self._lock:
            names = self._signed_out[role]
            if name in names and self._is_kept:
                return
            names[name] = None
            is_overfull = len(names) > SIGNED_OUT_MAX
            if is_overfull:
                self._begin(role)
            if self._path is None:
                return
            try:
                if is_overfull or not self._is_kept:
                    self._write(self._path)
                else:
                    self._is_kept = False
                    _append(self._path, [{"role": role, "signed_out": name}])
                self._is_kept = True
            except OSError as err:
                raise SignOutNotKept(f"{self._path} cannot be written: {err.strerror or err}") from err

    def _begin(self, *roles: str) -> None:
        for role in roles or ROLES:
            self._epochs[role] = secrets.token_hex(16)
            self._signed_out[role] = {}

    def _take_up(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                try:
                    self._read(path)
                except (OSError, ValueError, TypeError, KeyError) as err:
                    log.warning("sessions begin anew: %s cannot be read: %s", path, err)
                    self._begin()
                else:
                    _append(path, [])  # it can be written
                    return
            self._write(path)
        except OSError as err:
            log.warning(
                "everybody signs in again after a restart: sign-outs cannot be kept", extra=fields(reason=str(err))
            )
            self._begin()
            self._path = None

    def _read(self, path: Path) -> None:
        if path.stat().st_size > _SIZE_MAX_BYTES:
            raise ValueError(f"it is larger than {_SIZE_MAX_BYTES} bytes")
        text = path.read_text("ascii")
        if not text.endswith("\n"):
            raise ValueError("its last line is not whole")
        epochs: dict[str, str] = {}
        signed_out: dict[str, dict[str, None]] = {role: {} for role in ROLES}
        for line in text.splitlines():
            said: dict[str, Any] = json.loads(line)
            role = said["role"]
            if "epoch" in said:
                epochs[role], signed_out[role] = str(said["epoch"]), {}
            else:
                signed_out[role][str(said["signed_out"])] = None
        self._epochs = {role: epochs[role] for role in ROLES}
        self._signed_out = signed_out

    def _write(self, path: Path) -> None:
        """All of it anew: the former file stays until this one is whole."""
        lines: list[dict[str, str]] = [{"role": role, "epoch": epoch} for role, epoch in self._epochs.items()]
        lines += [{"role": role, "signed_out": name} for role, names in self._signed_out.items() for name in names]
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")  # another API may use this folder
        try:
            _append(part, lines)
            part.replace(path)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        _sync_folder(path.parent)


def _append(path: Path, lines: list[dict[str, str]]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        data = "".join(json.dumps(line) + "\n" for line in lines).encode("ascii")
        if os.write(fd, data) < len(data):
            raise OSError(0, "written in part")
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # there a folder cannot be opened
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

"""One file of a clip, fetched so that it is whole or not there: `.part`, hash, sync, rename; resumed where it broke off."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from preroll.cli.api import Api
from preroll.cli.documents import File
from preroll.cli.exits import ExitCode, Stopped

RETRIES: Final = 4

Tell = Callable[[int], None]


def is_there(path: Path, file: File) -> bool:
    """Whether `path` is this very file already."""
    if file["sha256"] is None or not path.is_file() or path.stat().st_size != file["size_bytes"]:
        return False
    return _sha256(path) == file["sha256"]


def download(api: Api, file: File, into: Path, tell: Tell, wait: Callable[[float], None] = time.sleep) -> None:
    """Fetch `file` into `into`; `tell` hears how many bytes are here. What a failed attempt got stays in `.part`.

    `Stopped` with FAILED when size or SHA-256 are not those the event names, with AWAY when the API stays away.
    """
    part = into.with_name(into.name + ".part")
    part.touch()  # an empty file has nothing to fetch
    tried = 0
    while _size(part) != file["size_bytes"]:
        before = _size(part)
        try:
            _fetch(api, file, part, tell)
        except Stopped as err:
            tried = 1 if _size(part) > before else tried + 1
            if err.code is not ExitCode.AWAY:
                raise
            if tried > RETRIES:
                raise Stopped(ExitCode.AWAY, f"{err}; {part} is kept, the same command goes on with it") from err
            wait(min(0.5 * 2**tried, 5))
            continue
        if _size(part) < file["size_bytes"]:
            raise _differs(part, into, f"{_size(part)} bytes, not {file['size_bytes']}")
    tell(file["size_bytes"])
    if file["sha256"] is not None and _sha256(part) != file["sha256"]:
        raise _differs(part, into, f"its SHA-256 is not {file['sha256']}")
    part.replace(into)


def _fetch(api: Api, file: File, part: Path, tell: Tell) -> None:
    have = _size(part)
    if have > file["size_bytes"]:
        have = 0
    headers = {"Accept-Encoding": "identity"}
    if have and file["sha256"] is not None:
        headers |= {"Range": f"bytes={have}-", "If-Range": f'"{file["sha256"]}"'}
    with api.stream(file["url"], headers=headers) as answer:
        goes_on = answer.status_code == 206 and answer.headers.get("content-range", "").startswith(f"bytes {have}-")
        if answer.status_code == 206 and not goes_on:
            raise Stopped(ExitCode.FAILED, f"asked for bytes from {have} on, got {answer.headers.get('content-range')}")
        with part.open("ab" if goes_on else "wb") as out:
            here = have if goes_on else 0
            # As it comes: blocks of a fixed size would lose what a broken connection left of the last one.
            for block in answer.iter_raw():
                here += len(block)
                if here > file["size_bytes"]:
                    raise Stopped(
                        ExitCode.FAILED, f"{file['url']} is more than the {file['size_bytes']} bytes it should be"
                    )
                out.write(block)
                tell(here)
            out.flush()
            os.fsync(out.fileno())


def _differs(part: Path, into: Path, what: str) -> Stopped:
    part.unlink()
    return Stopped(ExitCode.FAILED, f"{into.name} came damaged ({what}) and was removed")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

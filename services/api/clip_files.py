"""Opens files under the clips directory and nowhere else, and sends them, whole or in ranges."""

import asyncio
import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.api import ranges
from services.api.problems import Problem, response_of

CHUNK_BYTES: Final = 256 * 1024
_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", re.ASCII)
_ELSEWHERE: Final = frozenset(
    {errno.ELOOP, errno.EMLINK, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENAMETOOLONG}
)  # a link, a pipe, …
_CAN_OPEN_AT: Final = os.open in os.supports_dir_fd


class OutsideClips(ValueError):
    """A path that does not lead to a regular file under the clips directory."""


def open_under(root: Path, relative: str) -> BinaryIO:
    """The file `relative` under `root`, for reading; no link on the way is followed.

    `FileNotFoundError` when it is not there, `OutsideClips` for a path that leads elsewhere, another `OSError` when it
    cannot be opened now.
    """
    names = relative.split("/")
    if not all(_NAME.match(name) for name in names):
        raise OutsideClips(f"{relative[:200]!r} is no path of a clip")
    try:
        fd = _open_at(root, names) if _CAN_OPEN_AT else _open_checked(root, names)
    except OSError as err:
        if err.errno in _ELSEWHERE:
            raise OutsideClips(f"{relative[:200]!r}: {err.strerror}") from err
        raise
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return os.fdopen(fd, "rb", buffering=0)
    os.close(fd)
    raise OutsideClips(f"{relative[:200]!r} is no regular file")


def _open_at(root: Path, names: list[str]) -> int:
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names[:-1]:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)


def _open_checked(root: Path, names: list[str]) -> int:
    path = root.joinpath(*names)
    if path.resolve(strict=True) != root.resolve(strict=True).joinpath(*names):
        raise OutsideClips(f"{'/'.join(names)!r} is reached by a link")
    return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))


def etag_of(sha256: str | None, file: BinaryIO) -> str:
    """The file's hash as a strong tag; a weak one by size and time while the hash is not known."""
    if sha256 is not None:
        return f'"{sha256}"'
    facts = os.fstat(file.fileno())
    return f'W/"{facts.st_size:x}-{facts.st_mtime_ns:x}"'


class FileAnswer(Response):
    """Sends an open file and closes it: 200, 206 with one or several ranges, 304 or 416."""

    def __init__(self, file: BinaryIO, media_type: str, etag: str, disposition: str) -> None:
        super().__init__(media_type=media_type)
        self._file = file
        self._media = media_type
        self._etag = etag
        self._disposition = disposition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.closing(self._file):
            request = Request(scope)
            size = os.fstat(self._file.fileno()).st_size
            common = {"ETag": self._etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
            if ranges.is_known(request.headers.get("if-none-match"), self._etag):
                await Response(status_code=304, headers=common)(scope, receive, send)
                return
            try:
                asked = self._asked(request, size)
            except ranges.Unsatisfiable as err:
                problem = Problem(416, "range_unsatisfiable", str(err), headers={"Content-Range": f"bytes */{size}"})
                await response_of(problem)(scope, receive, send)
                return
            boundary = secrets.token_hex(12)
            pieces = list(self._pieces(asked, size, boundary))
            headers = {
                **common,
                "Content-Type": self._media,
                "Content-Length": str(sum(len(head) + end - begin for head, begin, end in pieces)),
                "Content-Disposition": self._disposition,
            }
            if asked is not None and len(asked) == 1:
                headers["Content-Range"] = f"bytes {asked[0][0]}-{asked[0][1] - 1}/{size}"
            elif asked is not None:
                headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
            await self._send(scope["method"], 200 if asked is None else 206, headers, pieces, send)

    def _asked(self, request: Request, size: int) -> list[tuple[int, int]] | None:
        header = request.headers.get("range")
        if header is None or request.method != "GET" or not ranges.applies(request.headers.get("if-range"), self._etag):
            return None
        return ranges.parse(header, size)

    def _pieces(
        self, asked: list[tuple[int, int]] | None, size: int, boundary: str
    ) -> Iterator[tuple[bytes, int, int]]:
        if asked is None or len(asked) == 1:
            begin, end = asked[0] if asked else (0, size)
            yield b"", begin, end
            return
        for begin, end in asked:
            head = f"\r\n--{boundary}\r\nContent-Type: {self._media}\r\nContent-Range: bytes {begin}-{end - 1}/{size}\r\n\r\n"
            yield head.encode(), begin, end
        yield f"\r\n--{boundary}--\r\n".encode(), 0, 0

    async def _send(
        self, method: str, status: int, headers: dict[str, str], pieces: list[tuple[bytes, int, int]], send: Send
    ) -> None:
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        if method != "HEAD":
            for head, begin, end in pieces:
                if head:
                    await send({"type": "http.response.body", "body": head, "more_body": True})
                await self._send_bytes(begin, end, send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_bytes(self, begin: int, end: int, send: Send) -> None:
        while begin < end:
            chunk = await asyncio.to_thread(self._read, begin, min(CHUNK_BYTES, end - begin))
            if not chunk:
                raise OSError(f"{self._disposition} became shorter while it was sent")
            begin += len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

    def _read(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(count)

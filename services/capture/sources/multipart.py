"""The parts of a multipart/x-mixed-replace body, as bytes come in.

Pure: bytes and their time of arrival in, parts out; however the bytes are cut, the parts are the same. Cameras are
careless with the boundary that they announce, so it is learnt from the first delimiter line. A part ends after its
Content-Length, or, when it has none, at the next delimiter.
"""

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

HEADERS_MAX_BYTES: Final = 16 * 1024
_STEP_BYTES: Final = 1024  # of what a head is looked for in: the body behind it is not to be copied with it
_EMPTY_LINE: Final = re.compile(rb"(?:^|(?<=\n))[\r\t ]*\n")


class StreamMalformed(ValueError):
    """Bytes that are no such stream, or exceed a limit; the text says which."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part's body, untouched, and the time of arrival of the part's first byte (the one behind its delimiter)."""

    body: bytearray = field(repr=False)
    content_type: str
    arrived_ns: int


class _State(Enum):
    BETWEEN = auto()  # before a delimiter line
    HEADERS = auto()
    COUNTED_BODY = auto()
    OPEN_BODY = auto()  # ends at the next delimiter
    ENDED = auto()


class MultipartParser:
    """Parses one body. `part_max_bytes` bounds what is held."""

    def __init__(self, part_max_bytes: int) -> None:
        self._part_max_bytes = part_max_bytes
        self._state = _State.BETWEEN
        self._held = bytearray()
        self._scanned = 0
        self._delimiter = b""
        self._body = bytearray()
        self._missing = 0
        self._content_type = ""
        self._content_length: int | None = None
        self._arrived_ns: int | None = None

    @property
    def is_ended(self) -> bool:
        """Whether the closing delimiter has come."""
        return self._state is _State.ENDED

    def feed(self, data: bytes | bytearray | memoryview, arrived_ns: int) -> list[Part]:
        """The parts that these bytes complete, or `StreamMalformed`."""
        parts: list[Part] = []
        view = memoryview(data)
        at = 0
        while True:
            if self._state is _State.COUNTED_BODY:
                end = at + self._missing
                piece = view[at:end]
                self._body += piece
                self._missing -= len(piece)
                if self._missing:
                    return parts
                parts.append(self._finished(self._body))
                at = end
            if at >= len(view):
                return parts
            end = len(view) if self._state is _State.OPEN_BODY else min(len(view), at + _STEP_BYTES)
            self._held += view[at:end]
            at = end
            if self._advance(arrived_ns, parts):
                at -= len(self._held)
                self._held.clear()

    def _advance(self, arrived_ns: int, parts: list[Part]) -> bool:
        """Go on as far as the held bytes reach; true when a body of known length begins with what is still held."""
        while True:
            match self._state:
                case _State.BETWEEN:
                    line = self._take_line()
                    if line is None:
                        return False
                    self._begin_part_if_delimiter(line)
                case _State.HEADERS:
                    if self._held and self._arrived_ns is None:
                        self._arrived_ns = arrived_ns
                    if not self._take_headers():
                        return False
                    if self._content_length is not None:
                        return True
                case _State.OPEN_BODY:
                    if not self._end_open_body(parts):
                        return False
                case _:
                    self._held.clear()
                    return False

    def _take_line(self) -> bytes | None:
        end = self._held.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._held)
            if self._scanned > self._part_max_bytes:
                raise StreamMalformed(f"no delimiter in {self._scanned} bytes, limit {self._part_max_bytes}")
            return None
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        self._scanned = 0
        return line.rstrip(b"\r\t ")

    def _begin_part_if_delimiter(self, line: bytes) -> None:
        if not self._delimiter:
            if line.startswith(b"--") and len(line) > 2:
                self._delimiter = b"\n" + line
                self._begin_part()
        elif line.startswith(self._delimiter[1:]):
            if line == self._delimiter[1:] + b"--":
                self._state = _State.ENDED
            else:
                self._begin_part()

    def _begin_part(self) -> None:
        self._state = _State.HEADERS
        self._arrived_ns = None
        self._content_type = ""
        self._content_length = None

    def _take_headers(self) -> bool:
        """Take the headers in, once all of them are held, with the empty line behind them; then a body begins."""
        end = _EMPTY_LINE.search(self._held, self._scanned)
        length = len(self._held) if end is None else end.start()
        if length > HEADERS_MAX_BYTES:
            raise StreamMalformed(f"a part's headers exceed {HEADERS_MAX_BYTES} bytes")
        if end is None:
            self._scanned = self._held.rfind(b"\n") + 1  # where the line begins that may yet be empty
            return False
        for line in bytes(self._held[:length]).split(b"\n"):
            name, _, value = line.partition(b":")
            match name.strip().lower():
                case b"content-type":
                    self._content_type = value.strip().lower().decode("latin-1")
                case b"content-length":
                    self._content_length = self._length_of(value.strip())
        del self._held[: end.end()]
        self._scanned = 0
        self._body = bytearray()
        if self._content_length is None:
            self._state = _State.OPEN_BODY
        else:
            self._state = _State.COUNTED_BODY
            self._missing = self._content_length
        return True

    def _length_of(self, value: bytes) -> int:
        if not value.isdigit() or len(value) > 12 or int(value) > self._part_max_bytes:
            raise StreamMalformed(f"Content-Length {value[:40]!r}, limit {self._part_max_bytes}")
        return int(value)

    def _end_open_body(self, parts: list[Part]) -> bool:
        # The body may be empty: then the delimiter's line break is the one that ended the headers.
        if self._held.startswith(self._delimiter[1:]):
            parts.append(self._finished(bytearray()))
            return True
        at = self._held.find(self._delimiter, self._scanned)
        if at < 0:
            self._scanned = max(0, len(self._held) - len(self._delimiter) + 1)
            if len(self._held) > self._part_max_bytes:
                raise StreamMalformed(f"a part exceeds {self._part_max_bytes} bytes")
            return False
        end = at - 1 if at and self._held[at - 1] == 0x0D else at
        parts.append(self._finished(self._held[:end]))
        del self._held[: at + 1]
        self._scanned = 0
        return True

    def _finished(self, body: bytearray) -> Part:
        self._state = _State.BETWEEN
        self._scanned = 0
        assert self._arrived_ns is not None
        return Part(body, self._content_type, self._arrived_ns)

"""The parts of a multipart/x-mixed-replace body, as bytes come in.

Pure: bytes and their time of arrival in, parts out; however the bytes are cut, the parts are the same. Cameras are
careless with the boundary that they announce, so it is learnt from the first delimiter line. A part ends after its
Content-Length, or, when it has none, at the next delimiter.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

HEADERS_MAX_BYTES: Final = 16 * 1024


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
        self._headers_bytes = 0
        self._arrived_ns: int | None = None

    @property
    def is_ended(self) -> bool:
        """Whether the closing delimiter has come."""
        return self._state is _State.ENDED

    def feed(self, data: bytes | bytearray | memoryview, arrived_ns: int) -> list[Part]:
        """The parts that these bytes complete, or `StreamMalformed`."""
        parts: list[Part] = []
        rest = memoryview(data)
        while True:
            if self._state is _State.COUNTED_BODY:
                taken = min(self._missing, len(rest))
                self._body += rest[:taken]
                self._missing -= taken
                rest = rest[taken:]
                if self._missing:
                    return parts
                parts.append(self._finished(self._body))
            self._held += rest
            if not self._advance(arrived_ns, parts):
                return parts
            rest, self._held = memoryview(self._held), bytearray()

    def _advance(self, arrived_ns: int, parts: list[Part]) -> bool:
        """Go on as far as the held bytes reach; true when a body of known length begins with what is still held."""
        while True:
            if self._state is _State.ENDED:
                self._held.clear()
                return False
            if self._state is _State.OPEN_BODY:
                if not self._end_open_body(parts):
                    return False
                continue
            if self._state is _State.HEADERS and self._held and self._arrived_ns is None:
                self._arrived_ns = arrived_ns
            line = self._take_line()
            if line is None:
                return False
            if self._state is _State.BETWEEN:
                self._begin_part_if_delimiter(line)
            elif self._header_ends_with(line):
                return True

    def _take_line(self) -> bytes | None:
        end = self._held.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._held)
            if self._scanned > HEADERS_MAX_BYTES and self._state is _State.HEADERS:
                raise StreamMalformed(f"a header line exceeds {HEADERS_MAX_BYTES} bytes")
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
        self._headers_bytes = 0

    def _header_ends_with(self, line: bytes) -> bool:
        """Take a header line in. True when it was the empty one and a body of known length follows."""
        self._headers_bytes += len(line)
        if self._headers_bytes > HEADERS_MAX_BYTES:
            raise StreamMalformed(f"a part's headers exceed {HEADERS_MAX_BYTES} bytes")
        if line:
            name, _, value = line.partition(b":")
            match name.strip().lower():
                case b"content-type":
                    self._content_type = value.strip().lower().decode("latin-1")
                case b"content-length":
                    self._content_length = self._length_of(value.strip())
            return False
        self._body = bytearray()
        if self._content_length is None:
            self._state = _State.OPEN_BODY
            return False
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

"""The payload of a body in chunked transfer coding (RFC 9112, section 7.1), as bytes come in.

Pure: bytes in, payload out, without copying it; however the bytes are cut, the payload is the same.
"""

from typing import Final

from services.capture.sources.multipart import StreamMalformed

LINE_MAX_BYTES: Final = 4 * 1024
_SIZE_MAX_DIGITS: Final = 8


class ChunkedBody:
    """Decodes one body."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._left = 0  # payload bytes of the chunk that are still to come
        self._in_trailer = False
        self._after_chunk = False  # the line break that ends a chunk is still to come
        self.is_ended = False

    def feed(self, data: memoryview) -> list[memoryview]:
        """The payload in these bytes, as views of them, or `StreamMalformed`."""
        payload: list[memoryview] = []
        while data and not self.is_ended:
            if self._left:
                taken = data[: self._left]
                payload.append(taken)
                self._left -= len(taken)
                self._after_chunk = self._left == 0
                data = data[len(taken) :]
            else:
                data = self._take_line(data)
        return payload

    def _take_line(self, data: memoryview) -> memoryview:
        head = bytes(data[: LINE_MAX_BYTES + 1])
        end = head.find(b"\n")
        if len(self._line) + (len(head) if end < 0 else end) > LINE_MAX_BYTES:
            raise StreamMalformed(f"a chunk's line exceeds {LINE_MAX_BYTES} bytes")
        if end < 0:
            self._line += head
            return data[len(head) :]
        line = bytes(self._line + head[:end]).strip()
        self._line.clear()
        self._line_ends(line)
        return data[end + 1 :]

    def _line_ends(self, line: bytes) -> None:
        if self._in_trailer:
            self.is_ended = not line
        elif self._after_chunk:
            if line:
                raise StreamMalformed(f"a chunk is followed by {line[:40]!r}, not by a line break")
            self._after_chunk = False
        else:
            digits = line.partition(b";")[0].strip()
            if not digits or len(digits) > _SIZE_MAX_DIGITS or digits.strip(b"0123456789abcdefABCDEF"):
                raise StreamMalformed(f"a chunk's size is {line[:40]!r}")
            self._left = int(digits, 16)
            self._in_trailer = self._left == 0

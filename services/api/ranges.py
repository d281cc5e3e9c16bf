"""Byte ranges of HTTP (RFC 9110, section 14). Pure."""

import re
from typing import Final

RANGES_MAX: Final = 16
_RANGE: Final = re.compile(r"^(\d{0,18})-(\d{0,18})$", re.ASCII)


class Unsatisfiable(ValueError):
    """No part of the asked ranges lies within the file."""


def parse(header: str, size_bytes: int) -> list[tuple[int, int]] | None:
    """The asked ranges as (first byte, byte after the last), clipped to the file; `None`: serve the whole.

    A header that is malformed, of another unit, of more than `RANGES_MAX` ranges, or that asks for more bytes than the
    file has (by overlapping ranges) is ignored, as the RFC allows.
    `Unsatisfiable` when the header is right but nothing of it is in the file.
    """
    unit, equals, listed = header.strip().partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return None
    found: list[tuple[int, int]] = []
    texts = [text.strip() for text in listed.split(",")]
    texts = [text for text in texts if text]
    if not texts or len(texts) > RANGES_MAX:
        return None
    for text in texts:
        match = _RANGE.match(text)
        if match is None or text == "-":
            return None
        first, last = match.groups()
        if first and last and int(first) > int(last):
            return None
        begin, end = _clipped(first, last, size_bytes)
        if begin < end:
            found.append((begin, end))
    if not found:
        raise Unsatisfiable(f"{header[:100]!r} of {size_bytes} bytes")
    if sum(end - begin for begin, end in found) > size_bytes:
        return None
    return found


def _clipped(first: str, last: str, size_bytes: int) -> tuple[int, int]:
    if not first:
        return max(0, size_bytes - int(last)), size_bytes
    return int(first), min(int(last) + 1, size_bytes) if last else size_bytes


def applies(if_range: str | None, etag: str) -> bool:
    """Whether a Range header counts, given If-Range: only for the very same file, compared strongly."""
    return if_range is None or (if_range.strip() == etag and not etag.startswith("W/"))


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has this file already, given If-None-Match, compared weakly."""
    if if_none_match is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or etag.removeprefix("W/") in tags

"""Server-sent events: the stream taken apart, and followed through losses of the connection.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from preroll.cli.api import Api, Params
from preroll.cli.exits import ExitCode, Stopped

LINE_MAX_BYTES: Final = 16 * 1024 * 1024
RETRY_FIRST_S: Final = 0.5
RETRY_MAX_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Message:
    """One event of the stream; `data` is a JSON document, as it was sent."""

    kind: str
    data: str
    id: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """The stream runs from here on, for the first time or again."""

    is_first: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """The stream is away; it is asked for again until it is back."""

    reason: str


def messages(chunks: Iterable[bytes]) -> Iterator[Message]:
    """The messages in a stream's bytes, however they are cut. What no empty line has ended is not one."""
    kind, data, number = "message", list[str](), None
    for line in _lines(chunks):
        if not line:
            if data:
                yield Message(kind, "\n".join(data), number)
            kind, data, number = "message", [], None
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                kind = value
            case "data":
                data.append(value)
            case "id":
                number = value
            case _:
                pass  # comments keep the connection alive; `retry` is ours to decide


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    # Not `iter_lines`: that breaks at U+2028 and its like too, which JSON may carry as they are.
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_MAX_BYTES:
            raise Stopped(ExitCode.FAILED, f"the stream has a line of more than {LINE_MAX_BYTES} bytes")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")


def follow(
    api: Api, path: str, params: Params, wait: Callable[[float], None] = time.sleep
) -> Generator[Message | Opened | Lost, None, None]:
    """Follow a stream for ever, each time from the last id on. `Stopped` when it does not open the first time.

    After a loss a stream without an id is asked for all that it remembers: better twice than not at all.
    """
    last_id: str | None = None
    was_open = False
    pause_s = RETRY_FIRST_S
    while True:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        try:
            with api.stream(path, {**params, "replay": "all"} if was_open else params, headers) as answer:
                chunks = answer.iter_bytes()
                first = next(chunks, b"")  # the server greets: from there on nothing is missed
                yield Opened(is_first=not was_open)
                was_open, pause_s = True, RETRY_FIRST_S
                for message in messages(_joined(first, chunks)):
                    last_id = message.id or last_id
                    yield message
            reason = "the stream ended"
        except Stopped as err:
            if not was_open or err.code is not ExitCode.AWAY:
                raise
            reason = str(err)
        yield Lost(reason)
        wait(pause_s)
        pause_s = min(pause_s * 2, RETRY_MAX_S)


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest

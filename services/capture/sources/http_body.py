"""An HTTP answer's body as it comes in, with a deadline on every step.

Over a plain socket: the standard client reads bodies through a buffer that cannot be asked again after a time limit.
"""

import http.client
import io
import secrets
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from preroll.addresses import without_password
from services.capture.address import HTTP
from services.capture.sources.chunked import ChunkedBody
from services.capture.sources.http_auth import authorization
from services.capture.sources.multipart import StreamMalformed
from services.capture.sources.source import SourceLost

HEAD_MAX_BYTES: Final = 64 * 1024
REDIRECTS_MAX: Final = 5
RECEIVE_BYTES: Final = 512 * 1024
SLICE_S: Final = 0.5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: http.client.HTTPMessage
    early: bytes  # what came behind the head with it


class HttpBody:
    """The body of a GET that was answered with 200."""

    def __init__(self, connection: socket.socket, answer: _Answer, shown: str, read_timeout_s: float) -> None:
        self.content_type = str(answer.headers.get("Content-Type", "")).strip().lower()
        self._connection = connection
        self._shown = shown
        self._early = answer.early
        self._buffer = memoryview(bytearray(RECEIVE_BYTES))
        is_chunked = "chunked" in str(answer.headers.get("Transfer-Encoding", "")).lower()
        self._chunked = ChunkedBody() if is_chunked else None
        self._read_timeout_s = read_timeout_s
        self._heard_s = time.monotonic()
        self.backlog_bytes = 0  # taken in one go: what had come before anyone asked
        connection.settimeout(min(SLICE_S, read_timeout_s))

    def receive(self) -> Sequence[memoryview]:
        """What has come, as views that hold until the next call; nothing, when nothing came for half a second.

        `SourceLost` at the body's end, on an error, or when nothing came for the read timeout.
        """
        data = self._next_bytes()
        if self._chunked is None or not data:
            return (data,) if data else ()
        try:
            payload = self._chunked.feed(data)
        except StreamMalformed as err:
            raise SourceLost(f"{self._shown}: {err}") from err
        if self._chunked.is_ended and not payload:
            raise SourceLost(f"{self._shown}: the server ended the stream")
        return payload

    def _next_bytes(self) -> memoryview:
        if self._early:
            data, self._early = memoryview(self._early), b""
            return data
        try:
            count = self._connection.recv_into(self._buffer)
        except TimeoutError:
            silent_s = time.monotonic() - self._heard_s
            if silent_s >= self._read_timeout_s:
                raise SourceLost(f"{self._shown}: silent for {self._read_timeout_s:g} s") from None
            return self._buffer[:0]
        except OSError as err:
            raise SourceLost(f"{self._shown}: {err}") from err
        if count == 0:
            raise SourceLost(f"{self._shown}: the server closed the connection")
        self._heard_s = time.monotonic()
        # A read that does not fill the buffer has emptied the line.
        self.backlog_bytes = self.backlog_bytes + count if count == RECEIVE_BYTES else 0
        return self._buffer[:count]

    def close(self) -> None:
        self._connection.close()


def open_body(url: str, open_timeout_s: float, read_timeout_s: float) -> HttpBody:
    """The body at `url`, after redirects and, if asked for, proof of identity; or `SourceLost`.

    All of it together takes `open_timeout_s` at most, the look-up of the name apart.
    """
    deadline_s = time.monotonic() + open_timeout_s
    proof: str | None = None
    for _ in range(REDIRECTS_MAX + 2):
        shown = without_password(url)
        split = _split(url, shown)
        connection = _connect(split, shown, deadline_s)
        try:
            answer = _ask(connection, split, proof, shown, deadline_s)
            if answer.status == http.HTTPStatus.OK:
                return HttpBody(connection, answer, shown, read_timeout_s)
        except BaseException:
            connection.close()
            raise
        connection.close()
        if answer.status in _REDIRECTS and (target := answer.headers.get("Location")):
            url, proof = _redirected(url, target), None
        elif answer.status == http.HTTPStatus.UNAUTHORIZED and proof is None and split.username is not None:
            proof = authorization(
                answer.headers.get_all("WWW-Authenticate") or (),
                _path_of(split),
                unquote(split.username),
                unquote(split.password or ""),
                secrets.token_hex(8),
            )
            if proof is None:
                raise SourceLost(f"{shown}: asks for a proof of identity that is neither Basic nor Digest")
        else:
            raise SourceLost(f"{shown}: answered with status {answer.status}")
    raise SourceLost(f"{shown}: more than {REDIRECTS_MAX} redirects")


def _redirected(url: str, target: str) -> str:
    """Where to go next. The user goes along to the same host only."""
    try:
        next_url = urljoin(url, target)
    except ValueError:
        raise SourceLost(f"{without_password(url)}: redirects to what is no address") from None
    here, there = _split(url, without_password(url)), _split(next_url, without_password(next_url))
    if not next_url.startswith(HTTP):
        raise SourceLost(f"{without_password(url)}: redirects to {without_password(next_url)}")
    if here.username is not None and there.username is None and here.hostname == there.hostname:
        user = here.netloc.rpartition("@")[0]
        return there._replace(netloc=f"{user}@{there.netloc}").geturl()
    return next_url


def _split(url: str, shown: str) -> SplitResult:
    """The parts of `url`. What is wrong with one is not told in the words of the library: they quote its password."""
    try:
        split = urlsplit(url)
        _ = split.port
    except ValueError:
        raise SourceLost(
            f"{shown}: is no address; in a user's name or password, / ? # [ ] @ : and % are written %2F %3F %23 %5B %5D"
            " %40 %3A %25"
        ) from None
    return split


def _connect(split: SplitResult, shown: str, deadline_s: float) -> socket.socket:
    is_tls = split.scheme == "https"
    try:
        host, port = split.hostname or "", split.port or (443 if is_tls else 80)
        plain = socket.create_connection((host, port), timeout=_left(deadline_s, shown))
    except (OSError, ValueError) as err:
        raise SourceLost(f"{shown}: {err}") from err
    if not is_tls:
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except (OSError, ValueError) as err:
        plain.close()
        raise SourceLost(f"{shown}: {err}") from err


def _ask(connection: socket.socket, split: SplitResult, proof: str | None, shown: str, deadline_s: float) -> _Answer:
    host = split.netloc.rpartition("@")[2]
    lines = [f"GET {_path_of(split)} HTTP/1.1", f"Host: {host}", "Accept: */*", "User-Agent: preroll"]
    lines += [f"Authorization: {proof}"] if proof else []
    lines += ["Connection: close", "", ""]
    data = bytearray()
    try:
        connection.settimeout(_left(deadline_s, shown))
        connection.sendall("\r\n".join(lines).encode())
        while (end := data.find(b"\r\n\r\n")) < 0:
            if len(data) > HEAD_MAX_BYTES:
                raise SourceLost(f"{shown}: the answer's head exceeds {HEAD_MAX_BYTES} bytes")
            connection.settimeout(_left(deadline_s, shown))
            received = connection.recv(HEAD_MAX_BYTES)
            if not received:
                raise SourceLost(f"{shown}: the server closed the connection before it answered")
            data += received
        status_line, _, head = bytes(data[: end + 4]).partition(b"\r\n")
        status = int(status_line.split(None, 2)[1])
        headers = http.client.parse_headers(io.BytesIO(head))
    except TimeoutError as err:
        raise SourceLost(f"{shown}: no answer within the open timeout") from err
    except (OSError, ValueError, IndexError, UnicodeError, http.client.HTTPException) as err:
        raise SourceLost(f"{shown}: {err}") from err
    return _Answer(status, headers, bytes(data[end + 4 :]))


def _path_of(split: SplitResult) -> str:
    path = split.path or "/"
    return f"{path}?{split.query}" if split.query else path


def _left(deadline_s: float, shown: str) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise SourceLost(f"{shown}: not open within the open timeout")
    return left_s

"""The API as the command line calls it: every answer is a good one, or `Stopped` says why not."""

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from preroll.cli.exits import ExitCode, Stopped, exit_code_of

TIMEOUT: Final = httpx.Timeout(30, connect=5)
# The server says that it lives every 15 s.
STREAM_TIMEOUT: Final = httpx.Timeout(30, connect=5, read=45)

Params = Mapping[str, str | int | float | None]
_EVENT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


def event_path(event_id: str) -> str:
    """The path of an event; an id that cannot be one would become another path."""
    if not _EVENT_ID.fullmatch(event_id):
        raise Stopped(ExitCode.MISUSED, f"{event_id[:80]!r} is no event id: A-Z a-z 0-9 _ -, at most 64")
    return f"/events/{event_id}"


class Api:
    """A client of one API. Follows no redirects, which would carry the key elsewhere, and asks no proxy."""

    def __init__(
        self, url: str, key: str | None, ca: Path | None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = _checked(url)
        self._client = httpx.Client(
            base_url=self.url,
            headers={"User-Agent": "preroll-cli", **_authorization(key)},
            verify=_trust(self.url, ca),
            timeout=TIMEOUT,
            transport=transport,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, params: Params | None = None) -> httpx.Response:
        """The answer to a GET. Parameters that are `None` are not sent."""
        return self._request("GET", path, params=_given(params))

    def post(self, path: str, document: Mapping[str, Any]) -> httpx.Response:
        return self._request("POST", path, json=document)

    @contextmanager
    def stream(
        self, path: str, params: Params | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """An answer whose body is still to be read. Errors while it is read are `Stopped` too."""
        try:
            with self._client.stream(
                "GET", path, params=_given(params), headers=headers, timeout=STREAM_TIMEOUT
            ) as answer:
                if answer.status_code >= 300:
                    answer.read()
                    _check(answer)
                yield answer
        except httpx.TransportError as err:
            raise self._away(err) from err

    def _request(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **given)
        except httpx.TransportError as err:
            raise self._away(err) from err
        _check(answer)
        return answer

    def _away(self, err: httpx.TransportError) -> Stopped:
        reason = str(err) or type(err).__name__
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            return Stopped(ExitCode.REFUSED, f"{self.url}: {reason}; --ca FILE names an authority to trust")
        return Stopped(ExitCode.AWAY, f"{self.url} does not answer: {reason}")


def _check(answer: httpx.Response) -> None:
    if answer.status_code < 300:
        return
    code, detail = "", f"{answer.request.url.path} answered {answer.status_code} {answer.reason_phrase}"
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if isinstance(problem, dict) and isinstance(problem.get("detail"), str):
        code, detail = str(problem.get("code", "")), problem["detail"]
    if answer.status_code == 401:
        detail += "; a key is given by --key-file or PREROLL_KEY"
    raise Stopped(exit_code_of(answer.status_code, code), detail)


def _checked(text: str) -> str:
    try:
        url = httpx.URL(text.rstrip("/"))
    except httpx.InvalidURL as err:
        raise Stopped(ExitCode.MISUSED, f"--url {text[:200]!r}: {err}") from err
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.query or url.fragment:
        raise Stopped(ExitCode.MISUSED, "--url is http://HOST:PORT or https://HOST:PORT, without user or query")
    return str(url)


def _authorization(key: str | None) -> dict[str, str]:
    if key is None:
        return {}
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Stopped(ExitCode.MISUSED, "the key is empty, or has characters other than printable ASCII")
    return {"Authorization": f"Bearer {key}"}


def _trust(url: str, ca: Path | None) -> ssl.SSLContext:
    if not url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, and costs nothing to make
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as err:
        raise Stopped(ExitCode.MISUSED, f"--ca {ca}: {err}") from err


def _given(params: Params | None) -> dict[str, str | int | float]:
    return {name: value for name, value in (params or {}).items() if value is not None}


def compact(text: str) -> str:
    """A JSON document on one line; one that is on one line already stays byte for byte."""
    return text if "\n" not in text else json.dumps(json.loads(text), ensure_ascii=False)

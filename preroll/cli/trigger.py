"""`preroll trigger`."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import typer

from preroll.cli.exits import ExitCode, Stopped
from preroll.cli.session import Session, connected
from preroll.cli.views import event_view
from preroll.cli.waiting import check_end, wait_for_end


@connected
def trigger(
    session: Session,
    cameras: Annotated[list[str] | None, typer.Argument(metavar="CAMERA", help="All, if none is named.")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Another moment than now: RFC 3339 or Unix seconds.")
    ] = None,
    pre: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Before the moment.")] = None,
    post: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="After it.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label; may be repeated.")] = None,
    event_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Your own id: the same request again records nothing more.")
    ] = None,
    waits: Annotated[bool, typer.Option("--wait", help="Until every clip is ready or has failed.")] = False,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long --wait waits.")] = 600,
) -> None:
    """Record an event: the seconds before and after this moment, of all cameras or of those named."""
    wished: dict[str, Any] = {"cameras": cameras or None, "at": at, "pre_s": pre, "post_s": post}
    body = {name: value for name, value in wished.items() if value is not None}
    body["event_id"] = event_id or _new_event_id()
    if label:
        body["labels"] = _labels(label)
    answer = _post(session, body)
    if waits:
        if not session.as_json:
            session.terminal.say(f"event {body['event_id']} is accepted")
        answer = wait_for_end(session, body["event_id"], timeout)
    if session.as_json:
        session.terminal.json(answer.text)
    else:
        session.terminal.out.print(event_view(answer.json(), session.terminal.out.width))
    if waits:
        check_end(session, answer.json())


def _post(session: Session, body: dict[str, Any]) -> httpx.Response:
    try:
        return session.api.post("/trigger", body)
    except Stopped as err:
        # Sent, perhaps taken, but not answered: with the same id a second request cannot record twice.
        if err.code is ExitCode.AWAY and isinstance(err.__cause__, httpx.ReadError | httpx.RemoteProtocolError):
            return session.api.post("/trigger", body)
        raise


def _labels(given: list[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise Stopped(ExitCode.MISUSED, f"--label {text!r} is not KEY=VALUE")
        if key in labels:
            raise Stopped(ExitCode.MISUSED, f"--label {key!r} is given twice")
        labels[key] = value
    return labels


def _new_event_id() -> str:
    """An id as the API makes them, made here so that a lost answer can be asked for again."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"

"""`preroll events` and `preroll show`."""

from typing import Annotated

import typer

from preroll.cli.api import compact, event_path
from preroll.cli.documents import Event, Events
from preroll.cli.session import Session, connected
from preroll.cli.views import event_view, events_table


@connected
def events(
    session: Session,
    camera: Annotated[str | None, typer.Option(metavar="ID", help="With a clip of this camera.")] = None,
    label: Annotated[str | None, typer.Option(metavar="KEY[=VALUE]", help="With this label.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339 or Unix seconds.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339 or Unix seconds.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Events on a page.")] = 50,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    every_page: Annotated[
        bool, typer.Option("--all", help="Every page. With --json: a document a line for each page.")
    ] = False,
) -> None:
    """Events, newest first, page by page."""
    wanted = {"camera": camera, "label": label, "since": since, "until": until, "limit": limit}
    found: list[Event] = []
    while True:
        answer = session.api.get("/events", {**wanted, "cursor": cursor})
        page: Events = answer.json()
        if session.as_json:
            session.terminal.json(compact(answer.text))
        found += page["events"]
        cursor = page["next_cursor"]
        if cursor is None or not every_page:
            break
    if not session.as_json:
        if found:
            session.terminal.out.print(events_table(found, session.terminal.out.width))
        else:
            session.terminal.say("no such event")
        if cursor is not None:
            session.terminal.say(f"there are more: --cursor {cursor}")


@connected
def show(
    session: Session,
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="The event's id.")],
) -> None:
    """One event: its clips, their files, and what they lack."""
    answer = session.api.get(event_path(event_id))
    if session.as_json:
        session.terminal.json(answer.text)
    else:
        session.terminal.out.print(event_view(answer.json(), session.terminal.out.width))

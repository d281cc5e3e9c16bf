"""`preroll logs`: what all services say."""

import json
from collections import Counter
from enum import StrEnum
from typing import Annotated

import typer

from preroll.cli.documents import LogRecord
from preroll.cli.exits import ExitCode, Stopped
from preroll.cli.session import Session, connected
from preroll.cli.sse import Lost, Message, Opened, follow
from preroll.cli.terminal import Terminal
from preroll.cli.views import log_line


class Service(StrEnum):
    CAPTURE = "capture"
    RECORDER = "recorder"
    API = "api"


class Level(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class Records:
    """Prints records; one that history has shown is not shown again when the stream brings it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: Counter[str] = Counter()

    def show_history(self, records: list[LogRecord]) -> None:
        for record in records:
            self._known[_canonical(record)] += 1
            self._show(record, None)

    def show(self, document: str) -> None:
        """A record from the stream, shown as it was sent."""
        record: LogRecord = json.loads(document)
        if self._known:
            name = _canonical(record)
            if self._known[name] > 0:
                self._known[name] -= 1
                return
            self._known.clear()  # the first that is new: those after it are new too
        self._show(record, document)

    def _show(self, record: LogRecord, document: str | None) -> None:
        terminal = self._session.terminal
        if self._session.as_json:
            terminal.json(document or json.dumps(record, ensure_ascii=False, separators=(",", ":")))
        else:
            terminal.line(log_line(record))


def _canonical(record: LogRecord) -> str:
    return json.dumps(record, sort_keys=True)


@connected
def logs(
    session: Session,
    follows: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, through restarts of the API, until Ctrl-C.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=10_000, help="The newest so many.")] = 100,
    service: Annotated[Service | None, typer.Option(help="Of this service.")] = None,
    camera: Annotated[str | None, typer.Option(metavar="ID", help="Of this camera.")] = None,
    event: Annotated[str | None, typer.Option(metavar="ID", help="About this event.")] = None,
    level: Annotated[Level | None, typer.Option(case_sensitive=False, help="This grave or graver.")] = None,
    text: Annotated[str | None, typer.Option(help="With this in the message.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339 or Unix seconds.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339 or Unix seconds; not with -f.")] = None,
) -> None:
    """What all services say: the newest records, and with -f those to come.

    With --json: one record a line with -f, else the document of GET /logs/history.
    """
    if follows and until is not None:
        raise Stopped(ExitCode.MISUSED, "--until and --follow exclude one another")
    wanted: dict[str, str | None] = {"service": service, "camera": camera, "event": event, "level": level, "text": text}
    if follows:
        _follow(session, wanted, lines, since)
    elif lines == 0:
        raise Stopped(ExitCode.MISUSED, "--lines 0 shows nothing without --follow")
    else:
        answer = session.api.get("/logs/history", {**wanted, "limit": lines, "since": since, "until": until})
        if session.as_json:
            session.terminal.json(answer.text)
        else:
            for record in answer.json()["records"]:
                session.terminal.line(log_line(record))


def _follow(session: Session, wanted: dict[str, str | None], lines: int, since: str | None) -> None:
    records = Records(session)
    for item in follow(session.api, "/logs", {**wanted, "replay": "none"}):
        match item:
            case Opened(is_first=True):
                if lines:
                    history = session.api.get("/logs/history", {**wanted, "limit": lines, "since": since})
                    records.show_history(history.json()["records"])
            case Opened():
                session.terminal.say("the API is back")
            case Lost(reason):
                _say_lost(session.terminal, reason)
            case Message(kind="log", data=document):
                records.show(document)
            case Message(kind="dropped", data=document):
                session.terminal.say(f"{json.loads(document)['dropped']} records missed: this end was too slow")
            case Message():
                pass


def _say_lost(terminal: Terminal, reason: str) -> None:
    terminal.say(f"{reason}; waiting for it")

"""`preroll watch`: cameras and events, live."""

import json
import time
from typing import Annotated, Final

import typer
from rich.live import Live

from preroll.cli.api import compact
from preroll.cli.board import Board, LiveBoard
from preroll.cli.exits import ExitCode, Stopped
from preroll.cli.session import Session, connected
from preroll.cli.sse import Lost, Message, Opened, follow

DRAWN_PER_S: Final = 4
# Log records are not drawn; the stream cannot leave them all out, so only the gravest come.
_PARAMS: Final = {"replay": "none", "level": "CRITICAL"}


@connected
def watch(
    session: Session,
    once: Annotated[bool, typer.Option("--once", help="Print the tables once and end.")] = False,
) -> None:
    """Cameras and events as they change, until Ctrl-C.

    With --json: a document a line for each change of an event, as the API says it.
    """
    board = Board(session.api.url)
    if session.as_json and not once:
        _print_changes(session)
    elif once:
        if session.as_json:
            raise Stopped(ExitCode.MISUSED, "--once has no --json; `cameras --json` and `events --json` have it")
        if not _load(session, board):
            raise Stopped(ExitCode.AWAY, f"the recorder behind {session.api.url} is away")
        width = session.terminal.out.width
        session.terminal.out.print(board.draw(width, 50, time.monotonic()))
    elif not session.terminal.out.is_terminal:
        raise Stopped(ExitCode.MISUSED, "watch draws on a terminal; elsewhere use --once or --json")
    else:
        _draw(session, board)


def _draw(session: Session, board: Board) -> None:
    drawn = LiveBoard(board, time.monotonic)
    is_loaded = False
    with Live(drawn, console=session.terminal.out, screen=True, refresh_per_second=DRAWN_PER_S):
        for item in follow(session.api, "/logs", _PARAMS):
            match item:
                case Opened():
                    is_loaded = _load(session, board)
                case Lost(reason):
                    board.lose(reason)
                case Message():
                    if item.kind == "status" and not is_loaded:
                        is_loaded = _load(session, board)
                    board.take(item.kind, json.loads(item.data), time.monotonic())


def _load(session: Session, board: Board) -> bool:
    """Fill the board with what is there now. False while the recorder is away: it is tried again when it speaks."""
    try:
        health = session.api.get("/status").json()["recorder"]
        cameras = session.api.get("/cameras").json()
        events = session.api.get("/events", {"limit": 50}).json()["events"]
    except Stopped as err:
        if err.code is not ExitCode.AWAY:
            raise
        board.load([], [], None, time.monotonic())
        return False
    board.load(cameras, events, health, time.monotonic())
    return health is not None


def _print_changes(session: Session) -> None:
    for item in follow(session.api, "/logs", _PARAMS):
        match item:
            case Message(kind="event"):
                session.terminal.json(compact(item.data))
            case Lost(reason):
                session.terminal.say(f"{reason}; waiting for it")
            case Opened(is_first=False):
                session.terminal.say("the API is back")
            case _:
                pass

"""`preroll doctor`: what is wrong, and what to do about it."""

import typer

from preroll.cli.documents import Diagnosis
from preroll.cli.exits import ExitCode
from preroll.cli.session import Session, connected
from preroll.cli.views import diagnosis_table


@connected
def doctor(session: Session) -> None:
    """Look at clocks, disk, memory, cameras and keys. Exit code 0 when nothing is wrong, else 1."""
    answer = session.api.get("/doctor")
    found: Diagnosis = answer.json()
    if session.as_json:
        session.terminal.json(answer.text)
    else:
        session.terminal.out.print(diagnosis_table(found, session.terminal.out.width))
    if found["state"] != "ok":
        raise typer.Exit(ExitCode.FAILED)

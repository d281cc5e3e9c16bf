"""`preroll cameras`: would a trigger now be complete?"""

from preroll.cli.documents import Camera
from preroll.cli.session import Session, connected
from preroll.cli.views import cameras_table


@connected
def cameras(session: Session) -> None:
    """All cameras: state, measured frames a second, seconds in memory of those a trigger wants, frames lost."""
    answer = session.api.get("/cameras")
    if session.as_json:
        session.terminal.json(answer.text)
        return
    found: list[Camera] = answer.json()
    if found:
        session.terminal.out.print(cameras_table(found, session.terminal.out.width))
    else:
        session.terminal.say("no camera has been seen yet")

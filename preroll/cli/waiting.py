"""Waiting for an event to come to its end."""

import time
from collections.abc import Callable
from typing import Final

import httpx

from preroll.cli.api import event_path
from preroll.cli.documents import Event
from preroll.cli.exits import ExitCode, Stopped
from preroll.cli.session import Session

ASK_EVERY_S: Final = 0.25


def wait_for_end(
    session: Session,
    event_id: str,
    timeout_s: float,
    now: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> httpx.Response:
    """The answer that shows every clip `ready` or `failed`. An API that is away meanwhile is waited for.

    `Stopped` with NOT_IN_TIME after `timeout_s` seconds.
    """
    deadline_s = now() + timeout_s
    last = "nothing is known of it"
    with session.terminal.err.status(f"{event_id}: waiting") as status:
        while True:
            try:
                answer = session.api.get(event_path(event_id))
            except Stopped as err:
                if err.code is not ExitCode.AWAY:
                    raise
                last = str(err)
            else:
                event: Event = answer.json()
                states = {clip["state"] for clip in event["clips"]}
                if states <= {"ready", "failed"}:
                    return answer
                last = f"it is {event['state']}"
            status.update(f"{event_id}: {last}")
            if now() >= deadline_s:
                raise Stopped(ExitCode.NOT_IN_TIME, f"event {event_id} did not end within {timeout_s:g} s: {last}")
            wait(ASK_EVERY_S)


def check_end(session: Session, event: Event) -> None:
    """Say what the clips lack; `Stopped` when a clip has failed."""
    failed = [clip["camera_id"] for clip in event["clips"] if clip["state"] == "failed"]
    short = [clip["camera_id"] for clip in event["clips"] if clip["complete"] is False and clip["state"] != "failed"]
    if short:
        session.terminal.say(f"event {event['event_id']} is incomplete: {', '.join(short)}")
    if failed:
        raise Stopped(ExitCode.FAILED, f"event {event['event_id']} has failed clips: {', '.join(failed)}")

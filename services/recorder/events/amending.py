"""Moves the end of an event's window: what may be asked, and what becomes of the event and its clips."""

from dataclasses import replace

from preroll import wire
from preroll.clock import nanoseconds, seconds
from services.recorder.cameras import window_end
from services.recorder.cameras.table import Cameras
from services.recorder.events import clip_life
from services.recorder.events.open_event import OpenEvent
from services.recorder.events.rules import CommandRejected, Limits, check_window


def amend(opened: OpenEvent, post_s: float, cameras: Cameras, limits: Limits, now_ns: int) -> bool:
    """Have the window end `post_s` seconds after the trigger, or now if that has passed; whether anything changed.

    Under the event's lock, which the caller holds. A later end is that of all clips, or the command is refused and none
    is changed. A clip that ended early, and says why, keeps the window that it was recorded by.
    """
    event, plan = opened.event, opened.plan
    to_ns = plan.anchor.trigger_ns + nanoseconds(post_s)
    if event.state not in ("scheduled", "recording"):
        check_finished(event, post_s)
        return False
    if event.state == "scheduled":
        check_window(event.pre_s, post_s, limits)
        to_ns = max(to_ns, plan.window.from_ns)
        moved = frozenset(clip.camera_id for clip in event.clips)
    elif to_ns > plan.window.to_ns:
        check_window(event.pre_s, post_s, limits)
        try:
            moved = window_end.advance(cameras, opened.recordings, to_ns)
        except window_end.EndPassed as err:
            raise CommandRejected("wrong_state", f"event {event.event_id}: {err}", event.state) from err
    else:
        to_ns = min(plan.window.to_ns, max(to_ns, now_ns))
        moved = window_end.bring_forward(cameras, opened.recordings, to_ns)
    if not moved or to_ns == plan.window.to_ns:
        return False
    opened.plan = replace(plan, window=plan.window.ending_at(to_ns))
    post_s = seconds(to_ns - plan.anchor.trigger_ns)
    opened.event = clip_life.amended(event, post_s, opened.plan.span(), moved)
    return True


def check_finished(event: wire.Event, post_s: float) -> None:
    """Raise when the window of an event that runs no more would have to end later: a command sent twice does no harm."""
    if nanoseconds(post_s) > nanoseconds(event.post_s):
        raise CommandRejected("wrong_state", f"event {event.event_id} is {event.state}: it runs no more", event.state)

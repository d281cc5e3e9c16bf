"""What the doctor says of recording: triggers, cameras, keys, events, encoders. Pure."""

from typing import Final

from preroll import wire
from services.api.diagnosis.facts import Facts, Finding
from services.api.diagnosis.words import age, names

LOST_SHARE_MAX: Final = 0.001
WAITING_MAX: Final = 20


def trigger(facts: Facts) -> Finding:
    if not facts.missing:
        return Finding("trigger", "ok", "a trigger now would be recorded")
    said = f"a trigger now would not be recorded: {'; '.join(facts.missing)}"
    if facts.recorder is None:
        return Finding("trigger", "problem", said, "start the recorder, or look into its log for why it ended")
    return Finding("trigger", "problem", said, "see what is said below; the recorder's log has more")


def cameras(facts: Facts) -> Finding | None:
    if facts.recorder is None:
        return None
    cameras = facts.cameras
    if not cameras:
        return Finding("cameras", "problem", "no camera has been seen", "start a capture, and look into its log")
    away = [camera.camera_id for camera in cameras if camera.state in {"lost", "stalled"}]
    if away:
        return Finding(
            "cameras",
            "problem",
            f"no pictures come from {len(away)} of {len(cameras)}: {names(away)}",
            "look at the camera, its cable and its capture's log; forget one that is gone for good",
        )
    doubled = [camera.camera_id for camera in cameras if camera.losses.refused_second_run]
    if doubled:
        return Finding(
            "cameras",
            "warning",
            f"two captures send as one camera: {names(doubled)}",
            "give each capture an id of its own (PREROLL_CAPTURE_CAMERA_ID)",
        )
    foreign = [camera.camera_id for camera in cameras if camera.losses.refused_foreign_key]
    if foreign:
        return Finding(
            "cameras",
            "warning",
            f"frames come with a key that does not speak for their camera: {names(foreign)}",
            "the recorder's log names the key and the command to run; else somebody tries to forge that camera",
        )
    losing = [f"{camera.camera_id} ({', '.join(causes)})" for camera in cameras if (causes := _losses(camera))]
    if losing:
        return Finding(
            "cameras",
            "warning",
            f"frames were lost: {names(losing)}",
            "README and docs/pages.md say which counter means what; most often it is the network or the processor",
        )
    short = [camera.camera_id for camera in cameras if camera.ring_s < camera.wanted_s]
    if short:
        return Finding(
            "cameras",
            "warning",
            f"the seconds before a trigger are not in memory yet: {names(short)}",
            "wait; if it stays so, the memory for frames is too small",
        )
    return Finding("cameras", "ok", f"all {len(cameras)} send pictures, and a trigger now would be complete")


def _losses(camera: wire.Camera) -> list[str]:
    """The causes that cost more than one frame in a thousand."""
    losses = camera.losses
    counts = {
        "on the wire": losses.lost_on_wire,
        "by the writer": losses.dropped_by_writer,
        "malformed": losses.rejected_by_recorder,
        "broken pictures": losses.rejected_by_capture,
        "out of order": losses.out_of_order,
    }
    return [f"{count} {cause}" for cause, count in counts.items() if count > LOST_SHARE_MAX * max(1, camera.frames)]


def keys(facts: Facts) -> Finding:
    if facts.exposed_files:
        return Finding(
            "keys",
            "problem",
            f"others on this machine can use the key files: {names(facts.exposed_files)}",
            "take the rights from them (chmod o-rwx), and replace the pair",
        )
    if facts.is_anybodys:
        return Finding(
            "keys",
            "warning",
            "everybody who reaches the API may operate it",
            "set PREROLL_API_KEY, unless that is meant",
        )
    between = "encrypted" if facts.has_curve else "in plaintext"
    who = "a key is needed" if facts.has_key else "no key is set, and the API is for this machine alone"
    return Finding("keys", "ok", f"{who}; the lines between the services are {between}")


def events(facts: Facts) -> Finding | None:
    health = facts.recorder
    if health is None:
        return None
    if health.retention is not None and health.retention.overdue_events:
        return Finding(
            "events",
            "warning",
            f"events past their days by the calendar and still there: {health.retention.overdue_events};"
            " only running time counts",
            "nothing, where the machine was off; else see whether the clock is right",
        )
    if health.newest_event_unix_ns is None:
        return Finding("events", "ok", "there is no event yet")
    ago_ns = facts.now.unix_ns - health.newest_event_unix_ns
    when = f"{age(ago_ns)} ago" if ago_ns >= 0 else f"dated {age(-ago_ns)} ahead of now"
    return Finding("events", "ok", f"kept: {health.events_total}, the last one from {when}")


def encoding(facts: Facts) -> Finding | None:
    health = facts.recorder
    if health is None:
        return None
    if health.clips_without_rendition:
        return Finding(
            "encoding",
            "warning",
            f"clips that could not be encoded: {health.clips_without_rendition} (failed tries: {health.encodes_failed})",
            "they are whole as the camera sent them (.original.mp4); the recorder's log says what the encoder lacks",
        )
    if health.encodes_waiting > WAITING_MAX:
        return Finding(
            "encoding",
            "warning",
            f"clips that wait for their encoder: {health.encodes_waiting}",
            "they are safe as the camera sent them; a faster encoder or more PREROLL_RECORDER_ENCODE_WORKERS help",
        )
    return Finding("encoding", "ok", f"clips in hand: {health.encodes_waiting + health.encodes_running}")

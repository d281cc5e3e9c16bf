"""What is wrong with the system, and what to do about it. Pure: facts in, findings out.

Each finding is about one subject, and says in one sentence what is; where something is not as it should be, in another
what to do. What nobody could ask is left out: a figure that is missing is no finding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from preroll import wire
from preroll.clock import NS_PER_S

State = Literal["ok", "warning", "problem"]
Subject = Literal["trigger", "clock", "disk", "descriptors", "memory", "cameras", "keys", "events", "encoding"]

MB: Final = 1_000_000
DAY_S: Final = 86_400
EARLIEST_UNIX_NS: Final = 1_577_836_800 * NS_PER_S  # 2020-01-01: a clock before it was never set
CLOCKS_APART_NS: Final = 2 * NS_PER_S
GROWTH_MIN_S: Final = 3_600  # of events kept, before a rate can be made of them
DAYS_LEFT_MIN: Final = 3
DESCRIPTORS_MIN: Final = 4_096
DESCRIPTORS_LEFT_MIN: Final = 128
RATE_MIN_S: Final = 1.0  # in a ring, before a rate can be made of it
RING_SHARE_MAX: Final = 0.9
REST_BYTES: Final = 300 * MB  # what the recorder needs beside its frames: itself, an encoder, clips being written
LOST_SHARE_MAX: Final = 0.001
WAITING_MAX: Final = 20
NAMES_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """`advice` is there where something is to be done."""

    subject: Subject
    state: State
    said: str
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out. `now` is the API's; `recorder` is `None` while it does not answer.

    `missing` is why a trigger now would not be recorded. `exposed_files` are key files that others can use.
    """

    now: wire.InstantRecord
    missing: Sequence[str] = ()
    recorder: wire.RecorderHealth | None = None
    cameras: Sequence[wire.Camera] = ()
    descriptors_limit: int | None = None
    descriptors_in_use: int | None = None
    is_anybodys: bool = False  # no key is set, and others than this machine reach the API
    has_key: bool = False
    has_curve: bool = False
    exposed_files: Sequence[str] = field(default=())


def diagnose(facts: Facts) -> list[Finding]:
    """One finding for each subject of which something is known, in the order in which a person would look."""
    judges: tuple[Callable[[Facts], Finding | None], ...] = (
        _trigger,
        _clock,
        _disk,
        _descriptors,
        _memory,
        _cameras,
        _keys,
        _events,
        _encoding,
    )
    return [finding for judge in judges if (finding := judge(facts)) is not None]


def worst(findings: Sequence[Finding]) -> State:
    """The state of the whole."""
    states: set[State] = {finding.state for finding in findings}
    return "problem" if "problem" in states else "warning" if "warning" in states else "ok"


def _trigger(facts: Facts) -> Finding:
    if not facts.missing:
        return Finding("trigger", "ok", "a trigger now would be recorded")
    said = f"a trigger now would not be recorded: {'; '.join(facts.missing)}"
    if facts.recorder is None:
        return Finding("trigger", "problem", said, "start the recorder, or look into its log for why it ended")
    return Finding("trigger", "problem", said, "see what is said below; the recorder's log has more")


def _clock(facts: Facts) -> Finding:
    now = facts.now
    if now.unix_ns < EARLIEST_UNIX_NS:
        return Finding(
            "clock",
            "problem",
            f"the clock says {_age(now.unix_ns)} after 1970: it was never set",
            "set it, or let NTP; clips are recorded all the same, but dated wrongly",
        )
    theirs = facts.recorder.now if facts.recorder is not None else None
    if theirs is not None:
        apart_ns = _apart_ns(now, theirs)
        if abs(apart_ns) > CLOCKS_APART_NS:
            return Finding(
                "clock",
                "warning",
                f"the recorder's clock is {_signed(apart_ns)} from the API's",
                "let both machines keep their time by NTP; events are dated by the API's clock",
            )
    retention = facts.recorder.retention if facts.recorder is not None else None
    if retention is not None and retention.wall_steps:
        step = "" if retention.last_step_s is None else f", last by {retention.last_step_s:+.0f} s"
        return Finding(
            "clock",
            "warning",
            f"the clock was set {_times(retention.wall_steps)} while the recorder ran{step}",
            "find out what sets it; events before and after are dated by different clocks",
        )
    return Finding("clock", "ok", "the clocks agree" if theirs is not None else "the clock is set")


def _apart_ns(ours: wire.InstantRecord, theirs: wire.InstantRecord) -> int:
    """How much their clock is ahead. On one boot the moments need not be the same: the monotonic clock tells them apart."""
    apart_ns = theirs.unix_ns - ours.unix_ns
    return apart_ns - (theirs.monotonic_ns - ours.monotonic_ns) if theirs.boot_id == ours.boot_id else apart_ns


def _disk(facts: Facts) -> Finding | None:
    health = facts.recorder
    if health is None:
        return None
    disk = health.disk
    if disk.error is not None:
        return Finding("disk", "problem", disk.error, "look at the disk and its mount; then restart the recorder")
    if disk.is_full:
        what = f"{_size(disk.free_bytes)} are free"
        if disk.files_free is not None and disk.free_bytes >= (health.min_free_bytes or 1):
            what = f"there is room for {disk.files_free} more files (inodes)"
        return Finding(
            "disk", "problem", f"the clips' disk is full: {what}", "remove events or other files, or take a larger disk"
        )
    said = f"{_size(disk.free_bytes)} are free, clips take {_size(disk.clips_bytes)}"
    days = _days_left(health)
    if days is None:
        return Finding("disk", "ok", said)
    said = f"{said}; at the rate so far it is full in {days:.0f} days, and then the oldest events go"
    if days < DAYS_LEFT_MIN:
        return Finding("disk", "warning", said, "take a larger disk, or protect what must stay")
    return Finding("disk", "ok", said)


def _days_left(health: wire.RecorderHealth) -> float | None:
    oldest, newest = health.oldest_event_unix_ns, health.newest_event_unix_ns
    if oldest is None or newest is None or health.disk.clips_bytes == 0 or newest - oldest < GROWTH_MIN_S * NS_PER_S:
        return None
    a_day = health.disk.clips_bytes / ((newest - oldest) / NS_PER_S) * DAY_S
    return max(0, health.disk.free_bytes - (health.min_free_bytes or 0)) / a_day


def _descriptors(facts: Facts) -> Finding | None:
    figures = [("API", facts.descriptors_limit, facts.descriptors_in_use)]
    if facts.recorder is not None:
        figures.insert(0, ("recorder", facts.recorder.descriptors_limit, facts.recorder.descriptors_in_use))
    said = []
    for service, limit, in_use in figures:
        if limit is None or in_use is None:
            continue
        said.append(f"{in_use} of {limit} in the {service}")
        if limit - in_use < DESCRIPTORS_LEFT_MIN:
            return Finding(
                "descriptors",
                "problem",
                f"the {service} has {in_use} of {limit} files and connections open",
                "find out who connects; raise LimitNOFILE (systemd) or the engine's nofile",
            )
        if limit < DESCRIPTORS_MIN:
            return Finding(
                "descriptors",
                "warning",
                f"the {service} may have only {limit} files and connections open",
                "raise the hard limit: LimitNOFILE=65536 (systemd), or the engine's nofile",
            )
    return Finding("descriptors", "ok", f"files and connections open: {', '.join(said)}") if said else None


def _memory(facts: Facts) -> Finding | None:
    health = facts.recorder
    if health is None:
        return None
    wanted = sum(
        camera.ring_bytes / camera.ring_s * camera.wanted_s for camera in facts.cameras if camera.ring_s > RATE_MIN_S
    )
    if wanted > RING_SHARE_MAX * health.ring_max_bytes:
        return Finding(
            "memory",
            "problem",
            f"the seconds before a trigger need {_size(wanted)} of memory at the cameras' rates,"
            f" the rings may have {_size(health.ring_max_bytes)}",
            "raise PREROLL_RECORDER_RING_MAX_MB (and the container's memory), or ask for fewer seconds",
        )
    may_need = health.ring_max_bytes + health.backlog_max_bytes + REST_BYTES
    if health.memory_limit_bytes is not None and may_need > health.memory_limit_bytes:
        return Finding(
            "memory",
            "warning",
            f"frames may take {_size(health.ring_max_bytes + health.backlog_max_bytes)}, and all of the recorder"
            f" {_size(health.memory_limit_bytes)}",
            "raise the memory limit of the container or unit, or lower PREROLL_RECORDER_RING_MAX_MB",
        )
    said = f"frames take {_size(health.ring_bytes)} of {_size(health.ring_max_bytes)}"
    return Finding("memory", "ok", f"{said}; the seconds before a trigger need {_size(wanted)}")


def _cameras(facts: Facts) -> Finding | None:
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
            f"{len(away)} of {len(cameras)} send no pictures: {_names(away)}",
            "look at the camera, its cable and its capture's log; forget one that is gone for good",
        )
    doubled = [camera.camera_id for camera in cameras if camera.losses.refused_second_run]
    if doubled:
        return Finding(
            "cameras",
            "warning",
            f"two captures send as one camera: {_names(doubled)}",
            "give each capture an id of its own (PREROLL_CAPTURE_CAMERA_ID)",
        )
    foreign = [camera.camera_id for camera in cameras if camera.losses.refused_foreign_key]
    if foreign:
        return Finding(
            "cameras",
            "warning",
            f"frames come with a key that does not speak for their camera: {_names(foreign)}",
            "the recorder's log names the key and the command to run; else somebody tries to forge that camera",
        )
    losing = [f"{camera.camera_id} ({', '.join(causes)})" for camera in cameras if (causes := _losses(camera))]
    if losing:
        return Finding(
            "cameras",
            "warning",
            f"frames were lost: {_names(losing)}",
            "README and docs/pages.md say which counter means what; most often it is the network or the processor",
        )
    short = [camera.camera_id for camera in cameras if camera.ring_s < camera.wanted_s]
    if short:
        return Finding(
            "cameras",
            "warning",
            f"the seconds before a trigger are not in memory yet: {_names(short)}",
            "wait; if it stays so, the memory for frames is too small",
        )
    return Finding("cameras", "ok", f"{len(cameras)} send pictures, and a trigger now would be complete")


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


def _keys(facts: Facts) -> Finding:
    if facts.exposed_files:
        return Finding(
            "keys",
            "problem",
            f"others on this machine can use the key files: {_names(facts.exposed_files)}",
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


def _events(facts: Facts) -> Finding | None:
    health = facts.recorder
    if health is None:
        return None
    if health.retention is not None and health.retention.overdue_events:
        return Finding(
            "events",
            "warning",
            f"{health.retention.overdue_events} events are past their days by the calendar, and still there:"
            " only running time counts",
            "nothing, where the machine was off; else see whether the clock is right",
        )
    if health.newest_event_unix_ns is None:
        return Finding("events", "ok", "there is no event yet")
    ago_ns = facts.now.unix_ns - health.newest_event_unix_ns
    when = f"{_age(ago_ns)} ago" if ago_ns >= 0 else f"dated {_age(-ago_ns)} ahead of now"
    return Finding("events", "ok", f"{health.events_total} are kept, the last one from {when}")


def _encoding(facts: Facts) -> Finding | None:
    health = facts.recorder
    if health is None:
        return None
    if health.clips_without_rendition:
        return Finding(
            "encoding",
            "warning",
            f"{health.clips_without_rendition} clips could not be encoded ({health.encodes_failed} tries failed)",
            "they are whole as the camera sent them (.original.mp4); the recorder's log says what the encoder lacks",
        )
    if health.encodes_waiting > WAITING_MAX:
        return Finding(
            "encoding",
            "warning",
            f"{health.encodes_waiting} clips wait for their encoder",
            "they are safe as the camera sent them; a faster encoder or more PREROLL_RECORDER_ENCODE_WORKERS help",
        )
    return Finding("encoding", "ok", f"{health.encodes_waiting + health.encodes_running} clips in hand")


# --- words


def _names(names: Sequence[str]) -> str:
    shown = list(names[:NAMES_MAX])
    return ", ".join(shown) + (f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else "")


def _size(count: float) -> str:
    for unit, least in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= least:
            return f"{count / least:.3g} {unit}" if count < 1000 * least else f"{count / least:.0f} {unit}"
    return f"{count / 1000:.0f} kB"


def _age(ns: int) -> str:
    for unit, length_s in _UNITS:
        if ns >= 2 * length_s * NS_PER_S:
            return f"{ns // (length_s * NS_PER_S)} {unit}"
    return f"{max(0, ns) // NS_PER_S} s"


_UNITS: Final = (("days", DAY_S), ("hours", 3_600), ("minutes", 60))


def _signed(ns: int) -> str:
    return f"{_age(abs(ns))} {'ahead' if ns > 0 else 'behind'}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

"""What the doctor says of the machine: clocks, disk, descriptors, memory. Pure."""

from typing import Final

from preroll import wire
from preroll.clock import NS_PER_S
from services.api.diagnosis.facts import Facts, Finding
from services.api.diagnosis.words import DAY_S, age, signed, size, times

MB: Final = 1_000_000
EARLIEST_UNIX_NS: Final = 1_577_836_800 * NS_PER_S  # 2020-01-01: a clock before it was never set
CLOCKS_APART_NS: Final = 2 * NS_PER_S
GROWTH_MIN_S: Final = 3_600  # of events kept, before a rate can be made of them
DAYS_LEFT_MIN: Final = 3
DESCRIPTORS_MIN: Final = 4_096
DESCRIPTORS_LEFT_MIN: Final = 128
RATE_MIN_S: Final = 1.0  # in a ring, before a rate can be made of it
RING_SHARE_MAX: Final = 0.9
REST_BYTES: Final = 300 * MB  # what the recorder needs beside its frames: itself, an encoder, clips being written


def clock(facts: Facts) -> Finding:
    now = facts.now
    if now.unix_ns < EARLIEST_UNIX_NS:
        return Finding(
            "clock",
            "problem",
            f"the clock says {age(now.unix_ns)} after 1970: it was never set",
            "set it, or let NTP; clips are recorded all the same, but dated wrongly",
        )
    theirs = facts.recorder.now if facts.recorder is not None else None
    if theirs is not None:
        apart_ns = _apart_ns(now, theirs)
        if abs(apart_ns) > CLOCKS_APART_NS:
            return Finding(
                "clock",
                "warning",
                f"the recorder's clock is {signed(apart_ns)} from the API's",
                "let both machines keep their time by NTP; events are dated by the API's clock",
            )
    retention = facts.recorder.retention if facts.recorder is not None else None
    if retention is not None and retention.wall_steps:
        step = "" if retention.last_step_s is None else f", last by {retention.last_step_s:+.0f} s"
        return Finding(
            "clock",
            "warning",
            f"the clock was set {times(retention.wall_steps)} while the recorder ran{step}",
            "find out what sets it; events before and after are dated by different clocks",
        )
    return Finding("clock", "ok", "the clocks agree" if theirs is not None else "the clock is set")


def _apart_ns(ours: wire.InstantRecord, theirs: wire.InstantRecord) -> int:
    """How much their clock is ahead. On one boot the moments need not be the same: the monotonic clock tells them apart."""
    apart_ns = theirs.unix_ns - ours.unix_ns
    return apart_ns - (theirs.monotonic_ns - ours.monotonic_ns) if theirs.boot_id == ours.boot_id else apart_ns


def disk(facts: Facts) -> Finding | None:
    health = facts.recorder
    if health is None:
        return None
    disk = health.disk
    if disk.error is not None:
        return Finding("disk", "problem", disk.error, "look at the disk and its mount; then restart the recorder")
    if disk.is_full:
        what = f"{size(disk.free_bytes)} are free"
        if disk.files_free is not None and disk.free_bytes >= (health.min_free_bytes or 1):
            what = f"there is room for {disk.files_free} more files (inodes)"
        return Finding(
            "disk", "problem", f"the clips' disk is full: {what}", "remove events or other files, or take a larger disk"
        )
    said = f"{size(disk.free_bytes)} are free, clips take {size(disk.clips_bytes)}"
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


def descriptors(facts: Facts) -> Finding | None:
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


def memory(facts: Facts) -> Finding | None:
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
            f"the seconds before a trigger need {size(wanted)} of memory at the cameras' rates,"
            f" the rings may have {size(health.ring_max_bytes)}",
            "raise PREROLL_RECORDER_RING_MAX_MB (and the container's memory), or ask for fewer seconds",
        )
    may_need = health.ring_max_bytes + health.backlog_max_bytes + REST_BYTES
    if health.memory_limit_bytes is not None and may_need > health.memory_limit_bytes:
        return Finding(
            "memory",
            "warning",
            f"frames may take {size(health.ring_max_bytes + health.backlog_max_bytes)}, and all of the recorder"
            f" {size(health.memory_limit_bytes)}",
            "raise the memory limit of the container or unit, or lower PREROLL_RECORDER_RING_MAX_MB",
        )
    said = f"frames take {size(health.ring_bytes)} of {size(health.ring_max_bytes)}"
    return Finding("memory", "ok", f"{said}; the seconds before a trigger need {size(wanted)}")

"""How many 1080p30 cameras this machine carries with no frame lost, and what each number of cameras costs."""

import os
from dataclasses import asdict
from functools import partial

from bench import accounting
from bench.asking import Asker, lost_in
from bench.footage import FPS, JPEG_BYTES
from bench.judged import judge
from bench.programs import Feeder
from bench.scale import Place
from bench.search import Search
from bench.services import Services
from bench.spread import Json
from preroll.clock import NS_PER_MS, NS_PER_S, SystemClock
from services.capture.sources.mjpeg_http import BEHIND
from tests.support.pictures import read_codes
from tests.support.processes import ServiceProcess, System, free_ports
from tests.support.waiting import wait_until

CLIP_POST_S = 1.0
RING_SHORT_S = 0.3  # old frames go ten times a second, and the newest is a little old
SLICES = 3
PLAIN_SHARE = 0.01  # of the frames: what loses more is not tried again
FILL_S = 20.0  # beyond the ring's own seconds; each capture process takes some more to start
FILL_CAPTURE_S = 0.3
AFTERWARDS_S = 15.0
LATE_MAX_MS = 500  # the machine is full: the feeder, or who takes its frames, does not come to its turn
COUNTING_FRAMES = 4  # by so many may two countings of frames differ that are read one after the other
MEMORY_SHARE = 0.6


def recorder_alone(place: Place) -> Json:
    """Frames straight over ZeroMQ into the recorder."""
    return _look(place, place.scale.cameras_max, is_captured=False)


def with_capture(place: Place) -> Json:
    """Every camera over HTTP, with a capture process of its own that passes its JPEGs through."""
    return _look(place, place.scale.captures_max, is_captured=True)


def _look(place: Place, count_max: int, *, is_captured: bool) -> Json:
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE
    by_memory = int(memory_bytes / (JPEG_BYTES * FPS * place.scale.ring_s * 1.1))
    search = Search(min(count_max, by_memory))
    runs: list[Json] = []
    while (count := search.next_count()) is not None:
        found = _run(place, count, is_captured=is_captured)
        runs.append(found)
        search.tell(count, is_carried=found["is_carried"], is_plain=found.get("lost_share", 1) > PLAIN_SHARE)
        print(f"  {count} cameras: {'carried' if found['is_carried'] else found['why']}", flush=True)
    return {
        "ring_s": place.scale.ring_s,
        "limit": search.limit,
        "is_bounded_by_run": search.is_open,
        "runs": sorted(runs, key=lambda run: int(run["cameras"])),
    }


def _run(place: Place, count: int, *, is_captured: bool) -> Json:
    names = [f"cam{number}" for number in range(1, count + 1)]
    ring_s = place.scale.ring_s
    room = place.room()
    with Services(room) as system, Asker(system) as asker:
        recorder = system.start(
            "recorder", ring_s=ring_s, ring_max_mb=1_000_000, max_cameras=1000, min_free_mb=100, keep_original=True
        )
        wait_until(partial(_answers, asker), 30, "the recorder answers")
        (port,) = free_ports(1)
        feeder = (
            Feeder("http", place.frames, room, str(port))
            if is_captured
            else Feeder("zmq", place.frames, room, system.frames_address, *names)
        )
        with feeder:
            captures: list[ServiceProcess] = []
            if is_captured:
                captures = [
                    system.start("capture", name, camera_id=name, source=f"http://127.0.0.1:{port}/{number}")
                    for number, name in enumerate(names)
                ]
            try:
                asker.wait_ring(ring_s - RING_SHORT_S, count, ring_s + FILL_S + FILL_CAPTURE_S * len(captures))
                found = _measured(place, asker, system, recorder, captures, feeder)
            except AssertionError as err:  # past the limit things do not come true in time: that is a finding
                found = {"is_carried": False, "why": str(err).splitlines()[0][:200]}
        if "numbers" in found:
            found |= _verdict(found, feeder)
        if not found["is_carried"]:
            found |= _afterwards(asker, recorder)
            if is_captured:
                found["captures_behind"] = sum(BEHIND in capture.log_text() for capture in captures)
    return {"cameras": count} | found


def _afterwards(asker: Asker, recorder: ServiceProcess) -> Json:
    """Whether the recorder outlived what was too much, and what it states to have lost."""
    try:
        cameras = wait_until(asker.cameras, AFTERWARDS_S, "the recorder answers")
    except AssertionError:
        return {"is_up": False}
    return {"is_up": recorder.is_running, "lost_in_all": lost_in(cameras)}


def _answers(asker: Asker) -> bool:
    asker.cameras()
    return True


def _measured(
    place: Place,
    asker: Asker,
    system: System,
    recorder: ServiceProcess,
    captures: list[ServiceProcess],
    feeder: Feeder,
) -> Json:
    clock = SystemClock()
    from_ns, before = clock.monotonic_ns(), asker.cameras()
    capture_pids = [capture.pid for capture in captures]
    captures_used_s, watched_ns = accounting.cpu_s(*capture_pids), clock.monotonic_ns()
    feeder_used_s = accounting.cpu_s(feeder.pid)
    load = accounting.watch([recorder.pid], SLICES, place.scale.slice_s * 0.5)
    captures_used_s = accounting.cpu_s(*capture_pids) - captures_used_s
    percent_per_s = 100 * NS_PER_S / (clock.monotonic_ns() - watched_ns)
    captures_percent = captures_used_s * percent_per_s
    feeder_percent = (accounting.cpu_s(feeder.pid) - feeder_used_s) * percent_per_s
    pre_s = place.scale.ring_s / 2
    event_id, anchor_ns = asker.trigger("cam1", pre_s, CLIP_POST_S)
    event = asker.wait_saved(event_id, 30)
    to_ns, after = clock.monotonic_ns(), asker.cameras()
    (clip,) = event.clips
    path = system.clips_dir / clip.files["original"].path
    feeder.check()
    expected = (to_ns - from_ns) * FPS // NS_PER_S - COUNTING_FRAMES
    return {
        "cameras": len(before),
        "recorder_cpu_percent": load.cpu_percent,
        "captures_cpu_percent": captures_percent,
        "feeder_cpu_percent": feeder_percent,
        "recorder_pss_mb": load.pss_bytes / 1e6,
        "captures_pss_mb": accounting.pss_bytes(*capture_pids) / 1e6,
        "ring_mb": sum(camera.ring_bytes for camera in after.values()) / 1e6,
        "seconds": (to_ns - from_ns) / NS_PER_S,
        "lost": lost_in(after) - lost_in(before),
        "missing": sum(max(0, expected - (after[name].frames - before[name].frames)) for name in before),
        "saved_after_s": clip.saved_after_s,
        "is_said_complete": clip.complete is True,
        "span_ns": [from_ns, to_ns],
        "window_ns": [anchor_ns - round(pre_s * NS_PER_S), anchor_ns + round(CLIP_POST_S * NS_PER_S)],
        "numbers": [code.number for code in read_codes(path)],
    }


def _verdict(found: Json, feeder: Feeder) -> Json:
    feed = feeder.feed
    from_ns, to_ns = found.pop("span_ns")
    window_from_ns, window_to_ns = found.pop("window_ns")
    late_ms = feed.worst_late_ms(from_ns, to_ns)
    clip = judge(found.pop("numbers"), feed.schedule, window_from_ns, window_to_ns, round(late_ms * NS_PER_MS))
    skipped = feed.skipped_between(from_ns, to_ns)
    reasons = [
        f"{value} {what}"
        for what, value in (
            ("lost by the recorder's counters", found["lost"]),
            ("not received in time", found["missing"]),
            ("left out by the camera, whose line was blocked", skipped),
            ("lost in the clip", clip.lost),
            ("twice in the clip", clip.repeated),
            ("outside the clip's window", clip.outside),
        )
        if value
    ]
    if late_ms > LATE_MAX_MS:
        reasons.append(f"sent up to {late_ms:.0f} ms late")
    if clip.lost and found["is_said_complete"]:
        reasons.append("a clip that lacks frames is said to be complete")
    sent = found["seconds"] * FPS * found["cameras"]
    return {
        "is_carried": not reasons,
        "lost_share": max(found["lost"], found["missing"], skipped) / sent,
        "why": ", ".join(reasons),
        "skipped": skipped,
        "camera_late_ms": late_ms,
        "clip": asdict(clip),
    }

"""One 1080p30 camera over HTTP: what it costs at idle and during an event, and what is in the clip; ours and the peers'."""

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import accounting, motion
from bench.asking import settle
from bench.footage import FPS
from bench.judged import judge
from bench.programs import Feeder, Program
from bench.scale import Place
from bench.services import Services
from bench.spread import Json, spread
from preroll.clock import NS_PER_S
from tests.support.judging import codec_of
from tests.support.pictures import read_codes
from tests.support.processes import free_ports
from tests.support.waiting import wait_until

FINISH_S = 120.0
RUN_IN_S = 2.0
RING_MARGIN_S = 1.0
RING_SHORT_S = 0.3  # old frames go ten times a second, and the newest is a little old


@dataclass(frozen=True, slots=True)
class Course:
    """What a subject is asked to do."""

    pre_s: float
    is_triggered: bool  # else it is watched at idle only


Subject = Callable[[Place, Course], Json]


def measure(place: Place) -> Json:
    """Each in turn, as often as the scale says; then all with the long pre-roll, for their memory.

    What they cost is compared within a round, while the machine is in one mood, and the middle one of the rounds is taken.
    """
    subjects: dict[str, Subject] = {"preroll": _preroll, "single_process": _single_process}
    if motion.is_installed():
        subjects["motion"] = _motion
    runs: dict[str, list[Json]] = {name: [] for name in subjects}
    for number in range(place.scale.camera_rounds):
        for name, subject in subjects.items():
            course = Course(place.scale.pre_s, number < place.scale.camera_events)
            print(f"  {name}, {'with' if course.is_triggered else 'without'} an event", flush=True)
            runs[name].append(subject(place, course))
    long_runs: dict[str, Json] = {}
    for name in ("preroll", "motion"):
        if name in subjects:
            print(f"  {name}, {place.scale.long_pre_s:g} s of pre-roll", flush=True)
            long_runs[name] = subjects[name](place, Course(place.scale.long_pre_s, is_triggered=True))
    return {
        "pre_s": place.scale.pre_s,
        "post_s": place.scale.post_s,
        "long_pre_s": place.scale.long_pre_s,
        "idle_ratio": {name: spread(_ratios(of, runs["preroll"])) for name, of in runs.items() if name != "preroll"},
        "subjects": {name: _summary(of) for name, of in runs.items()},
        "long_subjects": {name: _summary([of]) for name, of in long_runs.items()},
    }


def _ratios(theirs: list[Json], ours: list[Json]) -> list[float]:
    """How many times as much CPU as ours, round by round."""
    return [
        sum(their["idle_cpu_percent"]) / sum(our["idle_cpu_percent"]) for their, our in zip(theirs, ours, strict=True)
    ]


def _summary(runs: list[Json]) -> Json:
    figures = ("idle_pss_mb", "event_pss_mb", "event_cpu_s", "finished_after_s")
    facts = ("recorder_pss_mb", "ring_mb", "answered_ms", "saved_after_s")
    return {
        "idle_cpu_percent": spread([percent for run in runs for percent in run["idle_cpu_percent"]]),
        **{name: spread([run[name] for run in runs if name in run]) for name in (*figures, *facts) if name in runs[0]},
        "clips": [run["clip"] for run in runs if "clip" in run],
        "codec": runs[0]["codec"],
    }


def _watch_event(place: Place, pids: list[int], begin: Callable[[], None], is_whole: Callable[[], bool]) -> Json:
    used_s, began_s = accounting.cpu_s(*pids), time.monotonic()
    begin()
    peak = 0
    finished_s = 0.0
    while not finished_s and time.monotonic() - began_s < FINISH_S:
        settle(0.1)
        if is_whole():
            finished_s = time.monotonic()
        peak = max(peak, accounting.pss_bytes(*pids))
    assert finished_s, f"no clip within {FINISH_S:g} s"
    return {
        "event_pss_mb": peak / 1e6,
        "event_cpu_s": accounting.cpu_s(*pids) - used_s,
        "finished_after_s": finished_s - began_s - place.scale.post_s,
    }


def _judged(clip: Path, feeder: Feeder, anchor_ns: int, pre_s: float, post_s: float) -> Json:
    numbers = [code.number for code in read_codes(clip)]
    from_ns, to_ns = anchor_ns - round(pre_s * NS_PER_S), anchor_ns + round(post_s * NS_PER_S)
    codec, pixels = codec_of(clip)
    return {
        "clip": {**asdict(judge(numbers, feeder.feed.schedule, from_ns, to_ns)), "expected": (pre_s + post_s) * FPS},
        "codec": f"{codec}, {pixels}",
    }


def _idle(place: Place, pids: list[int]) -> Json:
    load = accounting.watch(pids, place.scale.slices, place.scale.slice_s)
    return {"idle_cpu_percent": load.cpu_percent, "idle_pss_mb": load.pss_bytes / 1e6}


def _preroll(place: Place, course: Course) -> Json:
    room = place.room()
    (port,) = free_ports(1)
    ring_s = course.pre_s + RING_MARGIN_S
    with Feeder("http", place.frames, room, str(port)) as feeder, Services(room) as system:
        system.start("api")
        recorder = system.start(
            "recorder", ring_s=ring_s, pre_s=course.pre_s, post_s=place.scale.post_s, min_free_mb=100
        )
        capture = system.start("capture", "cam1", camera_id="cam1", source=f"http://127.0.0.1:{port}/0")
        system.wait_ready()
        system.wait_ring(ring_s - RING_SHORT_S, "cam1")
        settle(ring_s)
        pids = [recorder.pid, capture.pid]
        found = _idle(place, pids)
        found["recorder_pss_mb"] = accounting.pss_bytes(recorder.pid) / 1e6
        found["ring_mb"] = system.cameras()["cam1"]["ring_bytes"] / 1e6
        if not course.is_triggered:
            return found
        anchor_ns = 0
        event_id = ""

        def begin() -> None:
            nonlocal anchor_ns, event_id
            anchor_ns = time.monotonic_ns()
            event_id = system.trigger()["event_id"]
            found["answered_ms"] = (time.monotonic_ns() - anchor_ns) / 1e6

        found |= _watch_event(place, pids, begin, lambda: system.event(event_id)["state"] == "ready")
        (clip,) = system.event(event_id)["clips"]
        found["saved_after_s"] = clip["saved_after_s"]
        path = system.download(clip["files"]["clip"]["url"], room / "clip.mp4")
        return found | _judged(path, feeder, anchor_ns, course.pre_s, place.scale.post_s)


def _single_process(place: Place, course: Course) -> Json:
    room = place.room()
    (port,) = free_ports(1)
    clip = room / "clip.mp4"
    url = f"http://127.0.0.1:{port}/0"
    command = [
        sys.executable,
        "-m",
        "bench.single_process",
        url,
        str(FPS),
        str(course.pre_s),
        str(place.scale.post_s),
        str(clip),
    ]
    with (
        Feeder("http", place.frames, room, str(port)) as feeder,
        Program(command, room / "single.log") as program,
    ):
        settle(2 * course.pre_s + RUN_IN_S)
        program.check()
        found = _idle(place, [program.pid])
        if not course.is_triggered:
            return found
        anchor_ns = time.monotonic_ns()
        found |= _watch_event(place, [program.pid], lambda: program.signal(signal.SIGUSR1), clip.exists)
        return found | _judged(clip, feeder, anchor_ns, course.pre_s, place.scale.post_s)


def _motion(place: Place, course: Course) -> Json:
    room = place.room()
    port, control_port = free_ports(2)
    config = room / "motion.conf"
    config.write_text(motion.settings(f"http://127.0.0.1:{port}/0", control_port, course.pre_s, FPS, room))
    with Feeder("http", place.frames, room, str(port)) as feeder:
        with Program(motion.command(config), room / "motion.log") as program:
            wait_until(lambda: motion.is_capturing(control_port), 30, "Motion sees the camera")
            settle(2 * course.pre_s + RUN_IN_S)
            program.check()
            found = _idle(place, [program.pid])
            if not course.is_triggered:
                return found
            anchor_ns = time.monotonic_ns()
            end_s = time.monotonic() + place.scale.post_s
            is_ended = False

            def is_whole() -> bool:
                nonlocal is_ended
                if time.monotonic() < end_s:
                    return False
                is_ended = is_ended or motion.act(control_port, "eventend")
                return is_ended

            def begin() -> None:
                assert motion.act(control_port, "eventstart"), "Motion does not answer"

            found |= _watch_event(place, [program.pid], begin, is_whole)
            settle(RUN_IN_S)  # it closes the movie with the next frame
        clip = max(room.glob("motion-*.mp4"), key=lambda path: path.stat().st_size)
        return found | _judged(clip, feeder, anchor_ns, course.pre_s, place.scale.post_s)

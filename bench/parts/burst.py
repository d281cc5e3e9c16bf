"""Many cameras triggered at once, again and again, with the encoders busy: how soon answers, originals and renditions."""

import http.client
import json
import time

from bench import accounting
from bench.asking import settle
from bench.footage import FPS
from bench.programs import Feeder
from bench.scale import Place
from bench.services import Services
from bench.spread import Json, latencies
from tests.support.elsewhere import elsewhere
from tests.support.processes import System
from tests.support.waiting import wait_until

PRE_S = 1.0
POST_S = 1.0
SHORT_S = 0.1
BETWEEN_S = 0.1


def measure(place: Place) -> Json:
    """Rounds with all cameras; short triggers of one camera meanwhile; then wait for the last rendition."""
    return elsewhere(lambda: _measured(place))


def _measured(place: Place) -> Json:
    scale = place.scale
    room = place.room()
    names = [f"cam{number}" for number in range(1, scale.burst_cameras + 1)]
    with Services(room) as system:
        system.start("api")
        recorder = system.start("recorder", ring_s=4, ring_max_mb=8_000, max_active_events=1_000, min_free_mb=100)
        with Feeder("zmq", place.frames, room, system.frames_address, *names):
            system.wait_ready()
            system.wait_ring(3.5, *names)
            before = _lost(system)
            answered: list[float] = []
            events = []
            plc = http.client.HTTPConnection("127.0.0.1", system.http_port, timeout=10)  # quick: the API is measured
            for _ in range(scale.burst_rounds):
                events.append(_trigger(plc, answered, pre_s=PRE_S, post_s=POST_S))
                wait_saved(system, events[-1])
            alone = list(answered)
            for _ in range(scale.burst_triggers):
                _trigger(plc, answered, pre_s=SHORT_S, post_s=SHORT_S, cameras=[names[0]])
                settle(BETWEEN_S)
            plc.close()
            busy_s, used_s, at_s = accounting.machine_busy_s(), accounting.cpu_s(recorder.pid), time.monotonic()
            ready = [system.wait_state(event_id, "ready", 300) for event_id in events]
            took_s = time.monotonic() - at_s
            busy = (accounting.machine_busy_s() - busy_s) / took_s if took_s > 1 else 0.0
            used = (accounting.cpu_s(recorder.pid) - used_s) / took_s if took_s > 1 else 0.0
            lost = _lost(system) - before
    clips = [clip for event in ready for clip in event["clips"]]
    return {
        "cameras": len(names),
        "clips": len(clips),
        "window_s": PRE_S + POST_S,
        "answered_all_cameras": latencies(alone),
        "answered": latencies(answered),
        "saved": latencies([clip["saved_after_s"] for clip in clips]),
        "ready": latencies([clip["ready_after_s"] for clip in clips]),
        "lost": lost,
        "incomplete": sum(clip["complete"] is not True for clip in clips),
        "frames_short": sum(max(0, round((PRE_S + POST_S) * FPS) - 1 - clip["delivered"]["frames"]) for clip in clips),
        "cores_busy_while_encoding": round(busy, 3),
        "recorder_cores_while_encoding": round(used, 3),
        "encoding_watched_s": round(took_s, 1),
    }


def wait_saved(system: System, event_id: str) -> None:
    """Wait until all clips of the event are on disk."""
    wait_until(lambda: system.event(event_id)["state"] in ("saved", "ready"), 60, f"{event_id} is saved")


def _trigger(plc: http.client.HTTPConnection, answered: list[float], **body: object) -> str:
    asked = json.dumps(body).encode()
    began_s = time.perf_counter()
    plc.request("POST", "/trigger", asked)
    answer = plc.getresponse()
    said = answer.read()
    answered.append(time.perf_counter() - began_s)
    assert answer.status == 202, said[:500]
    return str(json.loads(said)["event_id"])


def _lost(system: System) -> int:
    return sum(sum(camera["losses"].values()) for camera in system.cameras().values())

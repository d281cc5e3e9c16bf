"""JPEGs into MP4 with nothing around it, and MP4 into H.264: Preroll's encoder beside the ffmpeg command."""

import json
import re
import resource
import shutil
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av

from bench.footage import FPS, HEIGHT, REPOSITORY, WIDTH
from bench.scale import Place
from bench.spread import Json, spread
from services.recorder.clips.original import TICKS_PER_S
from tests.support import premade

PRESET = "superfast"
QUALITY = 23


def measure(place: Place) -> Json:
    """The bare remux, then both encoders in turn on the same file."""
    room = place.room()
    jpegs = premade.read(place.frames)[: place.scale.encode_frames]
    original = room / "original.mp4"
    remux = [len(jpegs) / _remux(jpegs, original) for _ in range(place.scale.repeats)]
    found: Json = {"frames": len(jpegs), "remux_frames_per_s": spread(remux)}
    ours: list[Json] = []
    theirs: list[Json] = []
    for _ in range(place.scale.repeats):
        ours.append(_preroll(original, room / "ours.mp4"))
        if shutil.which("ffmpeg"):
            theirs.append(_ffmpeg(original, room / "theirs.mp4"))
    found["preroll"] = _summary(ours, len(jpegs), room / "ours.mp4")
    if theirs:
        found["ffmpeg"] = _summary(theirs, len(jpegs), room / "theirs.mp4")
        found["are_settings_equal"] = _settings_in(room / "ours.mp4") == _settings_in(room / "theirs.mp4")
        pairs = zip(ours, theirs, strict=True)
        found["ratio"] = spread([their["wall_s"] / our["wall_s"] for our, their in pairs])
    return found


def _summary(runs: list[Json], frames: int, made: Path) -> Json:
    return {
        "frames_per_s": spread([frames / run["wall_s"] for run in runs]),
        "cpu_ms_per_frame": spread([1000 * run["cpu_s"] / frames for run in runs]),
        "file_mb": round(made.stat().st_size / 1e6, 2),
    }


def _settings_in(film: Path) -> str:
    """All that x264 was told, as it writes it into the film itself."""
    found = re.search(rb"x264 - core .*? options: ([ -~]+)", film.read_bytes(), re.DOTALL)
    return found[1].decode() if found else ""


def _remux(jpegs: list[bytes], path: Path) -> float:
    began_s = time.perf_counter()
    options = {"movflags": "hybrid_fragmented", "video_track_timescale": str(TICKS_PER_S)}
    with av.open(str(path), "w", format="mp4", options=options) as target:
        stream = target.add_stream("mjpeg", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        for number, jpeg in enumerate(jpegs):
            packet = av.Packet(jpeg)
            packet.stream, packet.time_base = stream, Fraction(1, TICKS_PER_S)
            packet.pts = packet.dts = number * TICKS_PER_S // FPS
            packet.duration = TICKS_PER_S // FPS
            packet.is_keyframe = True
            target.mux(packet)
    return time.perf_counter() - began_s


def _preroll(original: Path, part: Path) -> Json:
    """The encoder as the worker process runs it: loaded, then timed."""
    command = [sys.executable, "-m", "bench.rendering", str(original), str(part), PRESET, str(QUALITY)]
    said = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found: Json = json.loads(said.stdout.splitlines()[-1])
    return found


def _ffmpeg(original: Path, made: Path) -> Json:
    # The same picture and the same stream: limited range, the JPEG's matrix, no B-frames, a keyframe a second.
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", str(original), "-an"]
    command += ["-vf", "scale=in_range=full:out_range=limited", "-pix_fmt", "yuv420p"]
    command += ["-c:v", "libx264", "-preset", PRESET, "-crf", str(QUALITY), "-bf", "0", "-g", "60", "-forced-idr", "1"]
    command += ["-force_key_frames", "expr:gte(t,n_forced)", str(made)]
    used, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True)
    wall_s, now = time.perf_counter() - began_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall_s": wall_s, "cpu_s": now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime}

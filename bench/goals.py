"""The goals, each held against the figures of one run. Pure.

A goal whose part was not run, or whose peer is not installed, is neither met nor missed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bench.spread import Json

MEMORY_FACTOR: Final = 1.1
MEMORY_BASE_MB: Final = 70


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted, what was measured, and whether it is enough; `None` where it was not measured."""

    name: str
    wanted: str
    measured: str
    is_met: bool | None


def evaluate(parts: Json) -> list[Goal]:
    """All goals by the parts that were measured."""
    return [
        _ingest(parts.get("ingest")),
        *_camera(parts.get("camera")),
        *_memory(parts),
        *_limits(parts),
        *_burst(parts.get("burst")),
        _encode(parts.get("encode")),
        _cores(parts.get("burst"), parts.get("machine_cores", 1)),
        _container(parts.get("container")),
    ]


def _unmeasured(name: str, wanted: str) -> Goal:
    return Goal(name, wanted, "not measured", None)


def _ingest(part: Json | None) -> Goal:
    name, wanted = "Ingest against a bare pyzmq loop, frames per CPU second", "at least 0.8"
    if part is None:
        return _unmeasured(name, wanted)
    ratio, least = part["ratio"], part["ratio_to_least"]
    measured = (
        f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f});"
        f" {least['median']:.2f} of one that drops topic and header unseen"
    )
    return Goal(name, wanted, measured, ratio["median"] >= 0.8)


def _camera(part: Json | None) -> Iterator[Goal]:
    name = "CPU of one passthrough camera, capture and recorder"
    peers = (("motion", "Motion", 6), ("single_process", "the single-process recorder", 11))
    if part is None:
        yield _unmeasured(name, "at most 5 % of a core")
        return
    subjects = part["subjects"]
    ours = subjects["preroll"]["idle_cpu_percent"]["median"]
    yield Goal(name, "at most 5 % of a core", f"{ours:.1f} %", ours <= 5)
    for key, shown, times in peers:
        wanted = f"at most 1/{times} of {shown}"
        if key not in subjects:
            yield _unmeasured(name, wanted)
            continue
        ratio = part["idle_ratio"][key]
        measured = f"1/{ratio['median']:.1f} (1/{ratio['min']:.1f} to 1/{ratio['max']:.1f})"
        yield Goal(name, wanted, measured, ratio["median"] >= times)


def _memory(parts: Json) -> Iterator[Goal]:
    wanted = f"at most the ring's bytes × {MEMORY_FACTOR:g} + {MEMORY_BASE_MB} MB"
    pairs = list(memory_pairs(parts))
    if not pairs:
        yield _unmeasured("Recorder's memory", wanted)
    else:
        over = [pss - MEMORY_FACTOR * ring - MEMORY_BASE_MB for pss, ring in pairs]
        worst = over.index(max(over))
        pss, ring = pairs[worst]
        shown = f"at worst {pss:.0f} MB with a ring of {ring:.0f} MB ({len(pairs)} runs)"
        yield Goal("Recorder's memory", wanted, shown, over[worst] <= 0)
    camera = parts.get("camera")
    if camera is None:
        return
    for key, seconds, share in (("subjects", "pre_s", 3), ("long_subjects", "long_pre_s", 6)):
        name = f"Memory of recorder and one capture, {camera[seconds]:g} s of pre-roll"
        wanted = f"at most 1/{share} of Motion"
        subjects = camera[key]
        if "motion" not in subjects:
            yield _unmeasured(name, wanted)
            continue
        ours, theirs = (subjects[who]["idle_pss_mb"]["median"] for who in ("preroll", "motion"))
        yield Goal(name, wanted, f"1/{theirs / ours:.1f} ({ours:.0f} against {theirs:.0f} MB)", ours * share <= theirs)


def memory_pairs(parts: Json) -> Iterator[tuple[float, float]]:
    """The recorder's memory and its ring's bytes, in MB, of every run that says both."""
    camera = parts.get("camera")
    if camera is not None:
        for key in ("subjects", "long_subjects"):
            ours = camera[key].get("preroll")
            if ours is not None:
                yield ours["recorder_pss_mb"]["max"], ours["ring_mb"]["median"]
    for name in ("limit", "limit-capture"):
        for run in parts.get(name, {}).get("runs", []):
            if run["is_carried"]:
                yield run["recorder_pss_mb"], run["ring_mb"]


def _limits(parts: Json) -> Iterator[Goal]:
    for part, shown, wanted in (
        ("limit", "the recorder alone", 64),
        ("limit-capture", "captures that pass through", 28),
    ):
        name = f"1080p30 cameras with no frame lost, {shown}"
        if part not in parts:
            yield _unmeasured(name, f"at least {wanted}")
            continue
        found = parts[part]
        more = " or more" if found["is_bounded_by_run"] else ""
        yield Goal(name, f"at least {wanted}", f"{found['limit']}{more}", found["limit"] >= wanted)
    past = [run for part in ("limit", "limit-capture") for run in parts.get(part, {}).get("runs", []) if "is_up" in run]
    yield _past_limit([run["is_up"] for run in past])
    clips = [
        run["clip"] | {"lost_elsewhere": run["lost"] + run["missing"] + run["skipped"]}
        for part in ("limit", "limit-capture")
        for run in parts.get(part, {}).get("runs", [])
        if run["cameras"] <= parts[part]["limit"] and "clip" in run
    ]
    clips += parts.get("camera", {}).get("subjects", {}).get("preroll", {}).get("clips", [])
    name = "Frames lost, repeated or outside the window, in every run up to the limit"
    if not clips:
        yield _unmeasured(name, "0")
        return
    wrong = [sum(clip.get(key, 0) for key in ("lost", "repeated", "outside", "lost_elsewhere")) for clip in clips]
    yield Goal(name, "0", f"{sum(wrong)} in {len(clips)} runs", sum(wrong) == 0)


def _past_limit(is_up: list[bool]) -> Goal:
    name, wanted = "Past the limit", "the recorder stays up, losses are counted"
    if not is_up:
        return _unmeasured(name, wanted)
    return Goal(name, wanted, f"up after {sum(is_up)} of {len(is_up)} runs that were too much", all(is_up))


def _burst(part: Json | None) -> Iterator[Goal]:
    saved = "`saved` after the window's end, p99, all cameras triggered at once"
    answered = "`/trigger` answered, p99"
    if part is None:
        yield _unmeasured(saved, "at most 250 ms")
        yield _unmeasured(answered, "at most 10 ms")
        return
    p99 = part["saved"]["p99_ms"]
    yield Goal(saved, "at most 250 ms", f"{p99:.0f} ms ({part['cameras']} cameras)", p99 <= 250)
    p99 = part["answered"]["p99_ms"]
    yield Goal(answered, "at most 10 ms", f"{p99:.1f} ms, encoders busy", p99 <= 10)


def _encode(part: Json | None) -> Goal:
    name, wanted = "H.264 against the ffmpeg command, equal settings and cores", "at least 0.95 of its speed"
    if part is None or "ratio" not in part:
        return _unmeasured(name, wanted)
    ratio = part["ratio"]
    shown = f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"
    if not part["are_settings_equal"]:
        return Goal(name, wanted, f"{shown}, but the films state unequal settings", False)
    return Goal(name, wanted, shown, ratio["median"] >= 0.95)


def _cores(part: Json | None, cores: int) -> Goal:
    name, wanted = "Several clips waiting for their encoding", "all cores used, no frame lost meanwhile"
    if part is None or part["encoding_watched_s"] < 1:
        return _unmeasured(name, wanted)
    busy = part["cores_busy_while_encoding"]
    lost = part["lost"] + part["incomplete"] + part["frames_short"]
    return Goal(name, wanted, f"{busy:.2f} of {cores} cores, {lost} lost", busy >= 0.9 * cores and lost == 0)


def _container(part: Json | None) -> Goal:
    name, wanted = "Container start to the first frame in the ring", "at most 3 s"
    if part is None:
        return _unmeasured(name, wanted)
    took = part["first_frame_s"]
    return Goal(name, wanted, f"{took['median']:.2f} s (at most {took['max']:.2f})", took["max"] <= 3)

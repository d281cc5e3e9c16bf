"""The figures of the system for Prometheus: names with their units, by the conventions of its text format 0.0.4.

Rule: everything is read at the moment of the scrape; only what the bus alone can tell is counted here (`Timings`). What
the recorder would say is left out while it is away, and `preroll_recorder_up` says so.
"""

import asyncio
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from preroll import wire
from preroll.process import resident_bytes
from services.api.connections import REASONS
from services.api.openapi import VERSION
from services.api.parts import Parts
from services.api.problems import Problem

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_STATES: Final[tuple[str, ...]] = get_args(wire.CameraState)
_NOT_LOST: Final = {"restarts", "refused_foreign_key"}  # what was refused was somebody else's
_STAGES: Final = tuple(name for name in wire.Losses.model_fields if name not in _NOT_LOST)
_Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorder:
    """What the recorder said when it was asked."""

    health: wire.RecorderHealth
    cameras: tuple[wire.Camera, ...]


async def exposition(parts: Parts) -> bytes:
    """All figures as text."""
    return rendered(parts, await _ask(parts))


def rendered(parts: Parts, recorder: Recorder | None) -> bytes:
    """All figures as text, with those of the recorder if it has answered."""
    registry = CollectorRegistry()
    registry.register(_Snapshot([*_api(parts), *_recorder(recorder), *_cameras(parts, recorder)]))
    return generate_latest(parts.bus.timings.registry) + generate_latest(registry)


class _Snapshot(Collector):
    """Figures that were read already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


async def _ask(parts: Parts) -> Recorder | None:
    try:
        health, cameras = await asyncio.gather(parts.recorder.health(), parts.recorder.cameras())
    except Problem:
        return None
    return Recorder(health, cameras)


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(f"preroll_{name}", said, value)


def _counter(name: str, said: str, value: float) -> Metric:
    return CounterMetricFamily(f"preroll_{name}", said, value)


def _gauges(name: str, said: str, labels: _Labels, values: Iterable[tuple[_Labels, float]]) -> Metric:
    family = GaugeMetricFamily(f"preroll_{name}", said, labels=labels)
    for of, value in values:
        family.add_metric(of, value)
    return family


def _counters(name: str, said: str, labels: _Labels, values: Iterable[tuple[_Labels, float]]) -> Metric:
    family = CounterMetricFamily(f"preroll_{name}", said, labels=labels)
    for of, value in values:
        family.add_metric(of, value)
    return family


def _api(parts: Parts) -> Iterator[Metric]:
    bus, gate, connections = parts.bus, parts.gate, parts.connections
    build = (VERSION, platform.python_version())
    yield _gauges("build_info", "Always 1; the version is in its labels.", ("version", "python"), [(build, 1)])
    yield _gauge("api_memory_bytes", "Resident memory of the API.", resident_bytes())
    yield _counter("bus_messages_received", "Messages of all services that the API took in.", bus.received)
    yield _counter("bus_messages_lost", "Messages that their senders had numbered and that did not arrive.", bus.lost)
    yield _counter("bus_messages_malformed", "Messages on the bus that were none.", bus.malformed)
    yield _counter("bus_messages_refused", "Messages on the bus that their sender's key may not say.", bus.refused)
    yield _counter(
        "bus_connections_cut",
        "Connections to the bus that were cut: they filled the API's memory with messages that do not end.",
        bus.connections_cut,
    )
    yield _counter("bus_peers_refused", "Connections to the bus without a known key.", bus.peers_refused)
    yield _gauge("http_connections", "Open connections to the API.", len(connections))
    yield _gauge("http_connections_max", "How many may be.", connections.most)
    yield _counters(
        "http_connections_cut",
        "Connections that were cut: their peer did not finish its TLS handshake (tls), the headers of a request (request) "
        "or its body (body) in time, or took nothing of an answer (reader); or they were idle, and all places taken (room), "
        "or too many were from one address (source).",
        ("reason",),
        [((reason,), connections.cut[reason]) for reason in REASONS],
    )
    yield _counter("http_requests_malformed", "Requests that are not HTTP.", connections.malformed)
    yield _counter("http_accepts_failed", "Connections that could not be accepted.", connections.failed_accepts)
    yield _gauge("log_clients", "Clients that follow /logs.", parts.stream.seats.taken)
    yield _gauge("log_clients_max", "How many may.", parts.stream.seats.limit)
    yield _gauge("live_clients", "Clients that look at live pictures.", parts.live.seats.taken)
    yield _gauge("live_clients_max", "How many may.", parts.live.seats.limit)
    yield _counter("recorder_timeouts", "Questions that the recorder did not answer in time.", parts.recorder.timeouts)
    yield _counter("sign_in_failures", "Wrong keys, in headers or in the sign-in form.", gate.failed_sign_ins)
    yield _counters(
        "requests_refused",
        "Requests turned away before any route: host (a malformed Host, or without a key a foreign one), origin (a page of another site), "
        "attempts (too many wrong keys from that address).",
        ("reason",),
        [
            (("host",), gate.refused_hosts),
            (("origin",), gate.refused_origins),
            (("attempts",), gate.refused_attempts),
        ],
    )


def _recorder(recorder: Recorder | None) -> Iterator[Metric]:
    yield _gauge("recorder_up", "Whether the recorder answered this scrape.", recorder is not None)
    if recorder is None:
        return
    health, disk = recorder.health, recorder.health.disk
    yield _gauge("recorder_uptime_seconds", "Since the recorder started.", health.uptime_s)
    yield _gauge("recorder_memory_bytes", "Resident memory of the recorder.", health.memory_bytes)
    yield _gauge("ring_bytes", "Memory that the frames of all cameras take.", health.ring_bytes)
    yield _gauge("ring_max_bytes", "Its limit.", health.ring_max_bytes)
    yield _gauge(
        "backlog_bytes", "Memory of frames beyond the rings that clips wait to have written.", health.backlog_bytes
    )
    yield _gauge("backlog_max_bytes", "Its limit; what exceeds it is dropped.", health.backlog_max_bytes)
    yield _gauge("ring_window_seconds", "How far back the rings are to reach.", health.ring_window_s)
    yield _gauge("events_active", "Events being recorded or yet to begin.", health.events_active)
    yield _gauge("events_stored", "Events in the index.", health.events_total)
    yield _gauge("clips_recording", "Clips being recorded.", health.clips_recording)
    yield _gauge("encodes_waiting", "Clips that wait for their encoder.", health.encodes_waiting)
    yield _gauge("encodes_running", "Clips being encoded.", health.encodes_running)
    yield _counter("encodes_failed", "Tries to make a clip ready that failed.", health.encodes_failed)
    yield _gauge(
        "clips_without_rendition",
        "Saved clips whose rendition could not be made; they are tried again later, and at the recorder's next start.",
        health.clips_without_rendition,
    )
    yield _gauge("disk_total_bytes", "Size of the file system of the clips.", disk.total_bytes)
    yield _gauge("disk_free_bytes", "Free space on it.", disk.free_bytes)
    yield _gauge("disk_clips_bytes", "What the clips take.", disk.clips_bytes)
    yield _gauge("disk_full", "1 when new triggers are refused for want of space.", disk.is_full)
    if health.retention is not None:
        yield from _retention(health.retention)
    yield _counter("recorder_commands", "Commands that the recorder took in.", health.commands)
    yield _counter("recorder_commands_refused", "Commands that it refused.", health.commands_refused)
    yield _counter("recorder_messages_malformed", "Messages to the recorder that were none.", health.malformed_messages)
    yield _counter(
        "recorder_connections_cut",
        "Connections to the recorder that were cut: they filled its memory with messages that do not end.",
        health.connections_cut,
    )
    yield _counter(
        "recorder_peers_refused", "Connections to the recorder without a key for that socket.", health.peers_refused
    )
    yield _counter(
        "recorder_frames_refused",
        "Frames that came with a key that does not speak for their camera, of unknown cameras too.",
        health.refused_foreign_key,
    )
    yield _counter("recorder_bus_messages_dropped", "What it could not say, its queue being full.", health.bus_dropped)
    if health.descriptors_limit is not None and health.descriptors_in_use is not None:
        yield _gauge(
            "recorder_descriptors", "Files and connections that the recorder has open.", health.descriptors_in_use
        )
        yield _gauge("recorder_descriptors_max", "How many it may have.", health.descriptors_limit)


def _retention(retention: wire.Retention) -> Iterator[Metric]:
    yield _gauge(
        "retention_running_seconds",
        "For how long recorders have run on the clips directory, all told: the age of events is counted in it.",
        retention.running_s,
    )
    yield _gauge(
        "retention_held_seconds",
        "For how long yet, in running time, no event goes by age because the wall clock was set; 0 when some may.",
        retention.held_s,
    )
    yield _gauge(
        "retention_overdue_events",
        "Events past their days by the calendar that have yet to go.",
        retention.overdue_events,
    )
    yield _counter(
        "recorder_wall_clock_steps", "Times that the wall clock was set by more than a minute.", retention.wall_steps
    )


def _cameras(parts: Parts, recorder: Recorder | None) -> Iterator[Metric]:
    if recorder is None:
        return
    label = ("camera",)
    cameras = recorder.cameras
    captures = [(camera.camera_id, parts.bus.captures.get(camera.camera_id)) for camera in cameras]

    def each(field: str) -> list[tuple[_Labels, float]]:
        return [((camera.camera_id,), getattr(camera, field)) for camera in cameras]

    yield _gauges(
        "camera_state",
        "1 for the state that the camera is in, 0 for the others.",
        ("camera", "state"),
        [((camera.camera_id, state), camera.state == state) for camera in cameras for state in _STATES],
    )
    yield _counters("camera_frames_received", "Frames that the recorder got.", label, each("frames"))
    yield _counters(
        "camera_frames_lost",
        "Frames that were lost, by the stage at which; /cameras has the same names under losses.",
        ("camera", "stage"),
        [((camera.camera_id, stage), getattr(camera.losses, stage)) for camera in cameras for stage in _STAGES],
    )
    yield _counters(
        "camera_frames_refused",
        "Frames that came in this camera's name with a key that does not speak for it.",
        label,
        [((camera.camera_id,), camera.losses.refused_foreign_key) for camera in cameras],
    )
    yield _counters(
        "camera_restarts",
        "Runs of its capture after the first, and numbers begun anew within one: how many frames are missing is unknown.",
        label,
        [((camera.camera_id,), camera.losses.restarts) for camera in cameras],
    )
    yield _gauges("camera_frames_per_second", "Measured over the last frames.", label, each("fps"))
    yield _gauges("camera_ring_seconds", "How much of the past is in memory.", label, each("ring_s"))
    yield _gauges("camera_ring_wanted_seconds", "How much a default trigger needs.", label, each("wanted_s"))
    yield _gauges("camera_ring_frames", "Frames in memory.", label, each("ring_frames"))
    yield _gauges("camera_ring_bytes", "Memory that they take.", label, each("ring_bytes"))
    yield _gauges(
        "camera_last_frame_age_seconds",
        "Age of the newest frame; absent when there was none.",
        label,
        [((camera.camera_id,), camera.age_s) for camera in cameras if camera.age_s is not None],
    )
    yield _gauges(
        "camera_source_open",
        "Whether capture has its source open; absent while it has not said.",
        label,
        [((camera_id,), capture.is_open) for camera_id, capture in captures if capture is not None],
    )
    yield _counters(
        "camera_source_reopened",
        "How often capture opened its source again.",
        label,
        [((camera_id,), capture.reopened) for camera_id, capture in captures if capture is not None],
    )

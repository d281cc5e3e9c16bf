"""How long triggers and clips took, and what became of the clips, told from what the recorder says on the bus.

An event counts when its beginning was seen here, and each step of each of its clips once, however often it is said: old
events that change (one is protected, say) tell nothing new.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from preroll import wire

WATCHED_MAX: Final = 10_000
STEPS_MAX: Final = 100_000  # of all watched events together, each clip's steps one by one
_ENDED: Final = frozenset({"ready", "failed"})
_ACCEPTANCE_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SAVED_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_READY_S: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)

disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each: none asks when counting began


class Timings:
    """Histograms and counters of a registry of their own. Used from one thread."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        self._accepted = Histogram(
            "preroll_trigger_to_acceptance_seconds",
            "From receipt of a trigger to its durable acceptance.",
            buckets=_ACCEPTANCE_S,
            registry=self.registry,
        )
        self._saved = Histogram(
            "preroll_window_end_to_saved_seconds",
            "From the end of a clip's window to its original being safe on disk.",
            buckets=_SAVED_S,
            registry=self.registry,
        )
        self._ready = Histogram(
            "preroll_window_end_to_ready_seconds",
            "From the end of a clip's window to the clip being ready to play.",
            buckets=_READY_S,
            registry=self.registry,
        )
        self._clips = Counter(
            "preroll_clips",
            "Clips that came to their end: complete, incomplete (the clip says what it lacks) or failed.",
            ("outcome",),
            registry=self.registry,
        )
        for outcome in ("complete", "incomplete", "failed"):
            self._clips.labels(outcome)
        self._watched: dict[str, set[tuple[str, str]]] = {}
        self._steps = 0

    def note(self, event: wire.Event) -> None:
        """Take in an event after a change."""
        told = self._watched.get(event.event_id)
        if told is None:
            if event.state not in {"scheduled", "recording"}:
                return
            self._accepted.observe(event.accepted_after_s)
            told = self._watched[event.event_id] = set()
        before = len(told)
        for clip in event.clips:
            self._note_clip(clip, told)
        self._steps += len(told) - before
        while len(self._watched) > WATCHED_MAX or self._steps > STEPS_MAX:
            self.forget(next(iter(self._watched)))
        if all(clip.state in _ENDED for clip in event.clips):
            self.forget(event.event_id)

    def forget(self, event_id: str) -> None:
        """Nothing more is to be told of an event: it has come to its end, or is gone."""
        self._steps -= len(self._watched.pop(event_id, ()))

    def _note_clip(self, clip: wire.Clip, told: set[tuple[str, str]]) -> None:
        for step, after_s, histogram in (
            ("saved", clip.saved_after_s, self._saved),
            ("ready", clip.ready_after_s, self._ready),
        ):
            if after_s is not None and (clip.camera_id, step) not in told:
                told.add((clip.camera_id, step))
                histogram.observe(after_s)
        if clip.state in _ENDED and (clip.camera_id, "ended") not in told:
            told.add((clip.camera_id, "ended"))
            whole = "complete" if clip.complete else "incomplete"
            self._clips.labels("failed" if clip.state == "failed" else whole).inc()

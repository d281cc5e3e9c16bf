"""What comes of a recording: `Written`, or `Failed` with nothing to show; and writing the sidecar that says so."""

import logging
from dataclasses import dataclass, replace

from preroll import wire
from preroll.clock import Clock, seconds
from preroll.logs import fields
from services.recorder.clips import sidecar
from services.recorder.store.disk import WriteFailed
from services.recorder.store.files import ClipsDir
from services.recorder.store.names import ClipPaths
from services.recorder.cameras.gaps import Hole
from services.recorder.clips.journal import FrameName
from services.recorder.cameras.clip_plan import ClipPlan
from services.recorder.clips.verdict import Verdict, judge
from services.recorder.events import clip_life
from services.recorder.cameras.window import Window

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """All that is known of a clip whose recording is over.

    `frames` are those in the original, in order; none when it failed. `reason` is why it ended before its window.
    Times of the plan and the frames are those of the boot `boot_id`.
    """

    plan: ClipPlan
    window: Window
    period_ns: int
    frames: tuple[FrameName, ...]
    holes: tuple[Hole, ...]
    reason: str | None
    boot_id: str
    wall_stepped_s: float | None = None
    is_begin_seen: bool = False
    is_end_seen: bool = False

    def verdict(self) -> Verdict:
        first_ns = self.frames[0].t_ns if self.frames else None
        last_ns = self.frames[-1].t_ns if self.frames else None
        return judge(
            self.window,
            first_ns,
            last_ns,
            self.period_ns,
            self.holes,
            self.reason,
            is_begin_seen=self.is_begin_seen,
            is_end_seen=self.is_end_seen,
        )

    @property
    def trigger_frame(self) -> int | None:
        """Index of the frame in force at the trigger: the last one not after it, else the first."""
        if not self.frames:
            return None
        return max(sum(frame.t_ns <= self.plan.trigger_ns for frame in self.frames) - 1, 0)


@dataclass(frozen=True, slots=True)
class Written:
    """A clip that is on disk under its name. `first_ns` and `last_ns` are its first and last frame's times.

    `files` have no hash of the original yet: it is read through after `saved`, not before. `saved_monotonic_ns` is when
    everything was durable, `None` where that is not known.
    """

    event_id: str
    camera_id: str
    first_ns: int
    last_ns: int
    frames: int
    window: Window
    unix_offset_ns: int
    verdict: Verdict
    files: dict[wire.FileKind, wire.FileFact]
    saved_monotonic_ns: int | None

    @property
    def saved_after_s(self) -> float | None:
        """From the window's end to `saved`."""
        if self.saved_monotonic_ns is None:
            return None
        return max(0.0, seconds(self.saved_monotonic_ns - self.window.to_ns))

    def applied_to(self, clip: wire.Clip) -> wire.Clip:
        """The clip, now saved. What was requested is the window that the verdict was made by."""
        return clip_life.saved(
            clip,
            requested=span_of(self.window, self.unix_offset_ns),
            delivered=wire.Delivered(
                from_unix_ns=self.first_ns + self.unix_offset_ns,
                to_unix_ns=self.last_ns + self.unix_offset_ns,
                frames=self.frames,
                lost=self.verdict.lost,
            ),
            complete=self.verdict.is_complete,
            slack_ns=self.verdict.slack_ns,
            shortfall=self.verdict.shortfall,
            files=self.files,
            saved_after_s=self.saved_after_s,
        )


@dataclass(frozen=True, slots=True)
class Failed:
    """A clip with nothing to show, and why. `files` holds its sidecar, if that could be written."""

    event_id: str
    camera_id: str
    requested: wire.Span
    shortfall: tuple[str, ...]
    files: dict[wire.FileKind, wire.FileFact]

    def applied_to(self, clip: wire.Clip) -> wire.Clip:
        """The clip, now failed."""
        return clip_life.failed(clip, self.requested, self.shortfall, self.files)


def settle(clips: ClipsDir, paths: ClipPaths, facts: ClipFacts, event: wire.Event, clock: Clock) -> Written | Failed:
    """Describe a clip whose original (if it has frames) bears its name: write the sidecar, sync the folder.

    Raises nothing of the disk: a sidecar that cannot be written is logged and missing among the files; the journal then
    stays, from which `describe.restate` makes it.
    """
    clip = clip_of(event, facts.plan.camera_id)
    outcome = _outcome(clips, paths, facts)
    document = document_of(facts, event, outcome.applied_to(clip))
    files = dict(outcome.files)
    try:
        clips.make_folder(paths.folder)
        clips.put(paths.sidecar, sidecar.to_bytes(document))
        files["sidecar"] = clips.fact(paths.sidecar)
        clips.sync_folder(paths.folder)
        clips.remove(paths.journal_part)
    except WriteFailed as err:
        log.error(
            "sidecar not written", extra=fields(event_id=event.event_id, camera_id=clip.camera_id, error=str(err))
        )
    if isinstance(outcome, Written):
        return replace(outcome, files=files, saved_monotonic_ns=clock.monotonic_ns())
    return replace(outcome, files=files)


def _outcome(clips: ClipsDir, paths: ClipPaths, facts: ClipFacts) -> Written | Failed:
    plan, verdict = facts.plan, facts.verdict()
    if not facts.frames:
        requested = span_of(facts.window, plan.unix_offset_ns)
        return Failed(plan.event_id, plan.camera_id, requested, verdict.shortfall, {})
    # Without an original it is a clip that was ready, described anew.
    kind: wire.FileKind = "original" if paths.original.exists() else "clip"
    present: dict[wire.FileKind, wire.FileFact] = {kind: clips.fact(paths.by_kind()[kind])}
    if paths.poster.exists():
        present["poster"] = clips.fact(paths.poster)
    return Written(
        event_id=plan.event_id,
        camera_id=plan.camera_id,
        first_ns=facts.frames[0].t_ns,
        last_ns=facts.frames[-1].t_ns,
        frames=len(facts.frames),
        window=facts.window,
        unix_offset_ns=plan.unix_offset_ns,
        verdict=verdict,
        files=present,
        saved_monotonic_ns=None,
    )


def document_of(facts: ClipFacts, event: wire.Event, clip: wire.Clip) -> sidecar.Sidecar:
    """The sidecar of a clip that is now `clip`, of an event that is now `event`."""
    offset_ns = facts.plan.unix_offset_ns
    runs = tuple(dict.fromkeys(frame.run_id for frame in facts.frames))
    index_of = {run_id: index for index, run_id in enumerate(runs)}
    first_ns = facts.frames[0].t_ns if facts.frames else None
    event = clip_life.with_clips(event, clip)
    return sidecar.Sidecar(
        event=event,
        clip=clip,
        times=sidecar.times_of(event, clip),
        runs=runs,
        first_frame_at=sidecar.rfc3339(first_ns + offset_ns) if first_ns is not None else None,
        frames=tuple(
            (index_of[frame.run_id], frame.seq, microseconds(frame.t_ns - (first_ns or 0))) for frame in facts.frames
        ),
        trigger_frame=facts.trigger_frame,
        trigger_us=microseconds(facts.plan.trigger_ns - first_ns) if first_ns is not None else None,
        holes=tuple(
            sidecar.HoleRecord(
                cause=hole.cause,
                from_at=sidecar.rfc3339(hole.from_ns + offset_ns),
                to_at=sidecar.rfc3339(hole.to_ns + offset_ns),
                run_id=hole.run_id,
                first_seq=hole.first_seq,
                missing=hole.missing,
            )
            for hole in facts.holes
        ),
        clock=sidecar.ClockFacts(boot_id=facts.boot_id, unix_offset_ns=offset_ns, wall_stepped_s=facts.wall_stepped_s),
        latency=sidecar.latency_of(event, clip),
    )


def span_of(window: Window, unix_offset_ns: int) -> wire.Span:
    """The window on the wall clock."""
    return wire.Span(from_unix_ns=window.from_ns + unix_offset_ns, to_unix_ns=window.to_ns + unix_offset_ns)


def microseconds(ns: int) -> int:
    """Nanoseconds in microseconds, to the nearest."""
    return (ns + 500) // 1000


def clip_of(event: wire.Event, camera_id: str) -> wire.Clip:
    """The event's clip of this camera."""
    return next(clip for clip in event.clips if clip.camera_id == camera_id)

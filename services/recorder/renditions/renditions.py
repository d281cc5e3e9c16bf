"""Makes saved clips ready: has them encoded or hashed, and says of those that cannot be what they lack.

A clip without its rendition is evidence still: it stays `saved`, is listed, and retention may have it as any other. Its job is
tried again, later and later, because some failures pass (a full disk, a driver that was reset, a system short of memory);
the last word is that of the next start, which tries all of them.
"""

import logging
import threading
from dataclasses import dataclass
from typing import Any, Final

from preroll import wire
from preroll.clock import NS_PER_S, Clock, seconds
from preroll.logs import fields
from preroll.runtime.threads import Threads
from services.recorder.clips import describe
from services.recorder.events import clip_life
from services.recorder.events.events import Events
from services.recorder.events.open_event import OpenEvent
from services.recorder.events.write_behind import Deferred, Postponed
from services.recorder.renditions.jobs import Encoding, Job, JobDone, JobFailed
from services.recorder.renditions.pool import EncodePool
from services.recorder.store.disk import WriteFailed
from services.recorder.store.files import ClipsDir

log = logging.getLogger(__name__)

RETRY_AFTER_S: Final = (10, 60, 600, 3_600, 21_600)
LOOK_EVERY_NS: Final = NS_PER_S
WAITS_NS: Final = 900 * NS_PER_S  # for so long a worker can be expected to come to a clip
UNWELL_AFTER: Final = 3  # failures one after the other

Key = tuple[str, str]  # event id and camera id


@dataclass(slots=True)
class _Failing:
    job: Job
    failures: int
    due_ns: int | None  # None: being tried again, or given up


class Renditions:
    """From `saved` to `ready`. From any thread."""

    def __init__(
        self,
        events: Events,
        clips: ClipsDir,
        clock: Clock,
        threads: Threads,
        encoding: Encoding | None,
        workers: int,
        timeout_s: float,
        *,
        keep_original: bool,
    ) -> None:
        """Without an `encoding` the original is the clip, and is hashed only. `timeout_s` as for `EncodePool`."""
        self._events = events
        self._clips = clips
        self._clock = clock
        self._threads = threads
        self._has_target = encoding is not None
        self._keep_original = keep_original
        self._lock = threading.Lock()
        self._waiting: dict[str, dict[str, int]] = {}  # by event and camera, for their first try since when
        self._look_ns = 0
        self._failing: dict[Key, _Failing] = {}
        self._failed_in_a_row = 0
        self.failed = 0
        self._pool = EncodePool(workers, encoding, timeout_s, self._on_job_end)
        self._ready: Deferred[Key, tuple[Job, JobDone]] = Deferred("describing ready clips", self._make_ready, threads)

    def start(self) -> None:
        self._pool.start(self._threads)

    def close(self) -> None:
        """End the encoders at once; what they had in hand is done again at the next start."""
        self._pool.close()
        self._ready.wait_done(1)

    def submit(self, opened: OpenEvent, clip: wire.Clip) -> None:
        """Make the saved clip ready."""
        paths = self._clips.clip(opened.plan.folder, clip.camera_id)
        job = Job(opened.event.event_id, clip.camera_id, paths.original, paths.clip if self._has_target else None)
        with self._lock:
            self._waiting.setdefault(job.event_id, {})[job.camera_id] = self._clock.monotonic_ns()
        self._pool.submit(job)

    def tick(self) -> None:
        """Try again what is due; forget what was removed."""
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._look_ns:
            return
        self._look_ns = now_ns + LOOK_EVERY_NS
        self._ready.try_again()
        with self._lock:
            known = list(self._failing.items())
        for key, failing in known:
            if self._events.opened(key[0]) is None:
                with self._lock:
                    self._failing.pop(key, None)
            elif failing.due_ns is not None and failing.due_ns <= now_ns:
                failing.due_ns = None
                self._pool.submit(failing.job)

    def needs(self, event_id: str) -> bool:
        """Whether a saved event's files are in a worker's hands, or wait for one that can be expected to do its work.

        Its originals take ten times the room of the renditions that they become: it is not removed for them. Where the
        encoder fails, hangs or is far behind, this must not keep the disk full.
        """
        if self._pool.has_in_hand(event_id):
            return True
        with self._lock:
            if self._failed_in_a_row >= UNWELL_AFTER:
                return False
            since_ns = self._clock.monotonic_ns() - WAITS_NS
            return any(waits_ns > since_ns for waits_ns in self._waiting.get(event_id, {}).values())

    def figures(self) -> dict[str, Any]:
        return {
            "encodes_waiting": self._pool.waiting,
            "encodes_running": self._pool.running,
            "encodes_failed": self.failed,
            "clips_without_rendition": len(self._failing),
            "encoder": self._pool.encoder,
        }

    # --- what becomes of a job

    def _forget_waiting(self, job: Job) -> None:
        of_event = self._waiting.get(job.event_id, {})
        of_event.pop(job.camera_id, None)
        if not of_event:
            self._waiting.pop(job.event_id, None)

    def _on_job_end(self, job: Job, outcome: JobDone | JobFailed) -> None:
        opened = self._events.opened(job.event_id)
        if opened is not None and isinstance(outcome, JobDone):
            outcome = self._unless_cut_short(opened.clip(job.camera_id), job, outcome)
        with self._lock:
            self._forget_waiting(job)
            self._failed_in_a_row = self._failed_in_a_row + 1 if _is_encoders_fault(outcome) else 0
        if opened is None:
            return  # removed meanwhile
        if isinstance(outcome, JobDone):
            self._ready.put(_key(job), (job, outcome))
        else:
            self._take_up_failure(job, outcome)

    def _unless_cut_short(self, clip: wire.Clip, job: Job, outcome: JobDone) -> JobDone | JobFailed:
        """A rendition with fewer pictures than the original is none: an error of the disk looks like the file's end."""
        _, pictures = outcome.undecodable
        recorded = clip.delivered.frames if clip.delivered is not None else 0
        if job.target is None or pictures >= recorded:
            return outcome
        self._clips.remove(job.target)
        return JobFailed(
            f"the rendition has {pictures} of {recorded} pictures: the original could not be read to its end"
        )

    def _take_up_failure(self, job: Job, outcome: JobFailed) -> None:
        with self._lock:
            self.failed += 1
            former = self._failing.get(_key(job))
            failures = 1 if former is None else former.failures + 1
            is_final = outcome.cause == "pictures" or failures > len(RETRY_AFTER_S)
            after_s = None if is_final else RETRY_AFTER_S[failures - 1]
            due_ns = None if after_s is None else self._clock.monotonic_ns() + after_s * NS_PER_S
            self._failing[_key(job)] = _Failing(job, failures, due_ns)
        about = fields(event_id=job.event_id, camera_id=job.camera_id, failures=failures, again_in_s=after_s)
        log.error("clip stays as it was saved: %s", outcome.reason, extra=about)
        change = clip_life.not_decodable if outcome.cause == "pictures" else clip_life.not_rendered
        self._events.change_clip(job.event_id, job.camera_id, lambda clip: change(clip, outcome.reason))
        self._restate(job)

    def _restate(self, job: Job) -> None:
        """Have the sidecar say the same; it is written again when the clip becomes ready, or at the next start."""
        opened = self._events.opened(job.event_id)
        if opened is None:
            return
        event = opened.now()
        try:
            clip = describe.restate(self._clips, opened.plan.folder, event, opened.clip(job.camera_id))
        except (WriteFailed, OSError) as err:
            log.warning("sidecar not restated: %s", err, extra=fields(event_id=job.event_id, camera_id=job.camera_id))
            return
        self._events.change_clip(job.event_id, job.camera_id, lambda now: clip_life.with_files(now, clip.files))

    def _make_ready(self, key: Key, done: tuple[Job, JobDone]) -> None:
        job, outcome = done
        opened = self._events.opened(job.event_id)
        if opened is None:
            return
        try:
            clip = self._described(opened, job, outcome)
        except (WriteFailed, OSError) as err:
            raise Postponed(str(err)) from err
        self._events.change_clip(job.event_id, job.camera_id, lambda _: clip)
        with self._lock:
            self._failing.pop(key, None)
        about = fields(
            event_id=job.event_id,
            camera_id=job.camera_id,
            ready_after_s=round(clip.ready_after_s or 0.0, 3),
            took_s=round(outcome.took_s, 3),
        )
        log.info("clip ready", extra=about)

    def _described(self, opened: OpenEvent, job: Job, outcome: JobDone) -> wire.Clip:
        """The clip, now ready: its files with their hashes, the original kept or dropped, its sidecar restated."""
        clip = opened.clip(job.camera_id)
        files = dict(clip.files)
        original = self._clips.fact(job.original, outcome.original_sha256)
        if job.target is None:
            files["original"] = files["clip"] = original
        else:
            files["clip"] = self._clips.fact(job.target, outcome.target_sha256)
            if self._keep_original:
                files["original"] = original
            else:
                files.pop("original", None)
        poster = self._clips.clip(opened.plan.folder, job.camera_id).poster
        if poster.exists():
            files["poster"] = self._clips.hashed_fact(poster)
        since_end_s = seconds(self._clock.monotonic_ns() - opened.plan.window.to_ns)
        undecodable, pictures = outcome.undecodable
        ready = clip_life.ready(clip, files, since_end_s, undecodable, pictures)
        ready = describe.restate(self._clips, opened.plan.folder, opened.now(), ready, outcome.encoder or None)
        if job.target is not None and not self._keep_original:
            self._clips.remove(job.original)  # last: until here the clip could be made again
        return ready


def _key(job: Job) -> Key:
    return job.event_id, job.camera_id


def _is_encoders_fault(outcome: JobDone | JobFailed) -> bool:
    return isinstance(outcome, JobFailed) and outcome.cause in ("encoder", "worker")

"""A clip's way after the ring: written, then encoded or hashed, then ready. And at start, what an earlier life left.

Each stage reports from its own thread; `Events` keeps the record.
"""

import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from preroll import wire
from preroll.clock import NS_PER_S, Clock
from preroll.logs import fields
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.cameras.recording import Recording
from services.recorder.clips.result import Failed, Written
from services.recorder.clips.writer import ClipWriter
from services.recorder.events.events import Events
from services.recorder.events.open_event import OpenEvent
from services.recorder.recovery.mend import mend
from services.recorder.recovery.salvage import found_ready, salvage, salvage_again
from services.recorder.renditions.jobs import Encoding
from services.recorder.renditions.renditions import Renditions
from services.recorder.settings import RecorderSettings
from services.recorder.store.cleaner import Cleaner
from services.recorder.store.files import FILES_MIN, ClipsDir
from services.recorder.store.index import Index
from services.recorder.store.retention import RetentionLimits
from services.recorder.store.running_time import RunningTime
from services.recorder.store.syncer import Syncer

log = logging.getLogger(__name__)

MB: Final = 1_000_000
GB: Final = 1_000_000_000
RESUME_S: Final = 30.0
DAY_NS: Final = 86_400 * NS_PER_S


class Stages:
    """The writers, the encoders and the cleaner."""

    def __init__(
        self,
        settings: RecorderSettings,
        events: Events,
        clips: ClipsDir,
        index: Index,
        clock: Clock,
        boot_id: str,
        running: RunningTime,
        threads: Threads,
    ) -> None:
        self._threads = threads
        self._settings = settings
        self._events = events
        self._clips = clips
        self._index = index
        self._clock = clock
        self._boot_id = boot_id
        self._syncer = Syncer()
        self._is_short_of_threads = False
        self._unstarted: deque[ClipWriter] = deque()
        limits = RetentionLimits(
            max_age_ns=round(settings.retention_days * DAY_NS),
            max_bytes=round(settings.retention_max_gb * GB),
            min_free_bytes=settings.min_free_mb * MB,
        )
        self._cleaner = Cleaner(
            clips, index, events, limits, running, clock, lambda: mend(clips, index, events.store_all)
        )
        self._renditions = Renditions(
            events,
            clips,
            clock,
            threads,
            _encoding_of(settings),
            settings.encode_workers,
            settings.encode_timeout_s,
            keep_original=settings.keep_original,
        )

    # --- start and end

    def resume(self, shutdown: Shutdown) -> None:
        """Take up what an earlier life left: salvage recordings, keep the scheduled, queue what is not ready.

        When the end is requested meanwhile, what is not taken up stays as it is for the next start.
        """
        for event in self._index.unfinished():
            if shutdown.requested:
                break
            self._unless_it_fails(event, self._take_up_recordings)
        self._events.wait_stored(RESUME_S)
        for event in self._index.waiting():
            if shutdown.requested:
                break
            self._unless_it_fails(event, self._take_up_saved)

    @staticmethod
    def _unless_it_fails(event: wire.Event, take_up: Callable[[wire.Event], None]) -> None:
        """One event that cannot be taken up costs itself alone."""
        try:
            take_up(event)
        except Exception:
            log.exception("event not taken up, tried again at the next start", extra=fields(event_id=event.event_id))

    def _take_up_recordings(self, event: wire.Event) -> None:
        opened = self._events.adopt(event)
        for clip in salvage(self._clips, opened.plan.folder, event, self._clock):
            self._events.change_clip(event.event_id, clip.camera_id, lambda _, now=clip: now)  # type: ignore[misc]

    def _take_up_saved(self, event: wire.Event) -> None:
        folder = ClipsDir.folder_of(event.event_id, event.triggered_unix_ns)
        again = [
            now
            for clip in event.clips
            if (now := salvage_again(self._clips, folder, event, clip, self._clock)) is not None
        ]
        saved = [clip for clip in (*event.clips, *again) if clip.state == "saved"]
        if not again and not saved:
            return
        opened = self._events.opened(event.event_id) or self._events.adopt(event)
        for clip in again:
            self._events.change_clip(event.event_id, clip.camera_id, lambda _, now=clip: now)  # type: ignore[misc]
        for clip in saved:
            self._take_up(opened, clip)

    def _take_up(self, opened: OpenEvent, clip: wire.Clip) -> None:
        ready = found_ready(self._clips, opened.plan.folder, clip)
        if ready is None:
            self._renditions.submit(opened, clip)
            return
        self._events.change_clip(opened.event.event_id, clip.camera_id, lambda _: ready)
        about = fields(event_id=opened.event.event_id, camera_id=clip.camera_id)
        log.info("clip was ready before the crash", extra=about)

    def start(self) -> None:
        self._syncer.start(self._threads)
        self._renditions.start()
        self._cleaner.start(self._threads, self._settings.disk_watchdog_s)

    def close(self) -> None:
        """End the encoders at once; what they had in hand is done again at the next start."""
        self._renditions.close()
        self._syncer.close()
        self._cleaner.close()

    def tick(self) -> None:
        """Try again to make what could not be made ready."""
        self._renditions.tick()

    # --- what events ask

    def write(self, opened: OpenEvent, recording: Recording) -> None:
        """Begin to write the clip of `recording`."""
        event_id, camera_id = recording.plan.event_id, recording.plan.camera_id

        def on_saved(written: Written) -> None:
            changed = self._events.change_clip(event_id, camera_id, written.applied_to)
            log.info(
                "clip saved",
                extra=fields(
                    event_id=event_id,
                    camera_id=camera_id,
                    frames=written.frames,
                    complete=written.verdict.is_complete,
                    saved_after_s=round(written.saved_after_s or 0.0, 4),
                ),
            )
            if changed is not None:
                self._renditions.submit(changed, changed.clip(camera_id))
            self.start_writers()

        def on_failed(failed: Failed) -> None:
            self._events.change_clip(event_id, camera_id, failed.applied_to)
            why = "; ".join(failed.shortfall)
            log.error("clip failed: %s", why, extra=fields(event_id=event_id, camera_id=camera_id))
            self.start_writers()

        self._unstarted.append(
            ClipWriter(
                recording,
                self._clips,
                self._syncer,
                self._clock,
                self._boot_id,
                opened.now,
                on_saved,
                on_failed,
            )
        )
        self.start_writers()

    def needs(self, event_id: str) -> bool:
        """Whether a saved event's files are needed still, for its renditions."""
        return self._renditions.needs(event_id)

    def start_writers(self) -> None:
        """Start the writers for which there was no thread before; what waits longer stays for the next call.

        Meanwhile a clip's frames gather in its recording, as they do for a slow disk.
        """
        with contextlib.suppress(IndexError):
            while True:
                writer = self._unstarted.popleft()
                try:
                    writer.start(self._threads)
                except RuntimeError as err:
                    self._unstarted.appendleft(writer)
                    if not self._is_short_of_threads:
                        log.error("no thread for a clip's writer, tried again until there is one: %s", err)
                    self._is_short_of_threads = True
                    return
                self._is_short_of_threads = False

    def disk(self) -> wire.Disk:
        """The clips' disk now. Where the next round of the cleaner makes room, it is not full."""
        disk = self._clips.usage(self._index.clips_bytes(), self._settings.min_free_mb * MB)
        is_short_of_files = disk.files_free is not None and disk.files_free < FILES_MIN
        if disk.is_full and not is_short_of_files and self._cleaner.makes_room(disk):
            return wire.Disk.model_validate({**dict(disk), "is_full": False})
        return disk

    @property
    def files_in_clips(self) -> int:
        """How many files the clips that are being written have open."""
        return self._syncer.count

    @property
    def unstarted_writers(self) -> int:
        """How many writers wait for a thread."""
        return len(self._unstarted)

    def figures(self) -> dict[str, Any]:
        return {
            **self._renditions.figures(),
            "disk": self._cleaner.disk,
            "events_total": self._index.count(),
            "retention": self._cleaner.figures(),
            "min_free_bytes": self._settings.min_free_mb * MB,
            "oldest_event_unix_ns": None if self._cleaner.span is None else self._cleaner.span[0],
            "newest_event_unix_ns": None if self._cleaner.span is None else self._cleaner.span[1],
        }


def _encoding_of(settings: RecorderSettings) -> Encoding | None:
    """How renditions are made, if there are any. Several workers share the cores; one leaves them to the encoder."""
    if settings.format != "h264":
        return None
    threads = 0 if settings.encode_workers == 1 else max(1, (os.cpu_count() or 1) // settings.encode_workers)
    return Encoding(settings.encoder, settings.encoder_preset, settings.encoder_quality, threads)

"""Brings a clip's sidecar up to date, and writes one anew, from the journal or the MP4, where there is none to read."""

import logging
from typing import Final

from preroll import wire
from preroll.logs import fields
from services.recorder.clips import sidecar
from services.recorder.store.files import ClipsDir
from services.recorder.store.names import ClipPaths
from services.recorder.cameras.gaps import Hole
from services.recorder.clips.journal import FrameName, JournalRecord, read_journal
from services.recorder.clips.original import Unreadable, median_period_ns, read_times
from services.recorder.cameras.clip_plan import ClipPlan
from services.recorder.cameras.window import Window
from services.recorder.clips.result import ClipFacts, document_of
from services.recorder.events import clip_life

log = logging.getLogger(__name__)

UNKNOWN_RUN: Final = "unknown"


def hashed(clips: ClipsDir, folder: str, clip: wire.Clip) -> wire.Clip:
    """The clip with the files as they now are on disk and their hashes, its sidecar without one. Reads all of them."""
    paths = clips.clip(folder, clip.camera_id)
    files: dict[wire.FileKind, wire.FileFact] = {}
    for kind, path in paths.by_kind().items():
        if path.exists():
            files[kind] = clips.fact(path) if kind == "sidecar" else clips.hashed_fact(path)
    return clip_life.with_files(clip, files)


def restate(
    clips: ClipsDir,
    folder: str,
    event: wire.Event,
    clip: wire.Clip,
    encoder: dict[str, wire.Scalar] | None = None,
) -> wire.Clip:
    """Write the sidecar again with the event and clip as they now are; the clip with the sidecar's fact and hash.

    A missing or damaged sidecar is described anew. `WriteFailed` leaves the former one as it was; it is raised as well when the
    folder is gone, which is not made again: the event was removed.
    """
    paths = clips.clip(folder, clip.camera_id)
    document = sidecar.restated(_known(clips, paths, folder, event, clip), event, clip, encoder)
    clips.put(paths.sidecar, sidecar.to_bytes(document))
    clips.sync_folder(paths.folder)
    clips.remove(paths.journal_part)
    return clip_life.with_files(clip, {**clip.files, "sidecar": clips.hashed_fact(paths.sidecar)})


def _known(clips: ClipsDir, paths: ClipPaths, folder: str, event: wire.Event, clip: wire.Clip) -> sidecar.Sidecar:
    try:
        return sidecar.parse(paths.sidecar.read_bytes())
    except (OSError, sidecar.SidecarDamaged) as err:
        about = fields(event_id=event.event_id, camera_id=clip.camera_id, error=str(err))
        log.warning("sidecar described anew", extra=about)
    return document_of(facts_on_disk(clips, folder, event, clip, None), event, clip)


def facts_on_disk(clips: ClipsDir, folder: str, event: wire.Event, clip: wire.Clip, reason: str | None) -> ClipFacts:
    """The facts of a clip, from its journal and the frames in its original (or in its rendition, for times alone).

    Without a journal the frames' numbers are not known, and their times are reckoned from the clip's stated beginning:
    then monotonic time is wall time.
    """
    paths = clips.clip(folder, clip.camera_id)
    stored_ns = _stored_ns(paths)
    record = read_journal(paths.journal_part)
    if record is not None:
        return _by_journal(record, len(stored_ns), clip.requested, reason)
    begun = clip.delivered.from_unix_ns if clip.delivered else clip.requested.from_unix_ns
    window = Window(clip.requested.from_unix_ns, clip.requested.to_unix_ns)
    frames = tuple(FrameName(UNKNOWN_RUN, number, begun + after_ns) for number, after_ns in enumerate(stored_ns))
    plan = ClipPlan(event.event_id, clip.camera_id, folder, event.triggered_unix_ns, window, 0)
    return ClipFacts(plan, window, median_period_ns(stored_ns), frames, (), reason, UNKNOWN_RUN)


def _stored_ns(paths: ClipPaths) -> list[int]:
    for path in (paths.original, paths.clip):
        try:
            return read_times(path)
        except Unreadable:
            continue
    return []


def _by_journal(record: JournalRecord, stored: int, requested: wire.Span, reason: str | None) -> ClipFacts:
    # The journal learns of an amended window with the next frames; the event's record has it before the answer goes out.
    offset_ns = record.plan.unix_offset_ns
    window = Window(requested.from_unix_ns - offset_ns, requested.to_unix_ns - offset_ns)
    frames, lost = record.frames[:stored], record.frames[stored:]
    holes = list(record.holes)
    if lost:
        since_ns = frames[-1].t_ns if frames else window.from_ns
        holes.append(Hole("not_written", since_ns, lost[-1].t_ns, lost[0].run_id, lost[0].seq, len(lost)))
    return ClipFacts(
        plan=record.plan,
        window=window,
        period_ns=record.period_ns,
        frames=frames,
        holes=tuple(holes),
        reason=reason,
        boot_id=record.boot_id,
    )

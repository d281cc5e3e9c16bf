"""Checks the clips directory against the index: is every file there, whole, and what the index and sidecar say?

Changes nothing. It may run beside a recorder: clips that are being written are left out, and what differs is looked at
a second time, because a clip may have changed between reading the index and its files.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from preroll import wire
from services.recorder.clips import sidecar
from services.recorder.store.database import IndexDamaged, IndexOfOtherVersion, IndexUnavailable
from services.recorder.store.files import ClipsDir, sha256_of
from services.recorder.store.index import Index
from services.recorder.store.names import INDEX_NAME, PART, shown

_STATED: Final = ("state", "complete", "shortfall", "delivered", "requested")


def run(clips_dir: Path) -> int:
    """Print each difference, then the sum; 0 when there is none, else 1."""
    path = clips_dir / INDEX_NAME
    if not path.is_file():
        print(f"{path}: missing; the recorder makes it anew from the files when it starts")
        return 1
    clips = ClipsDir(clips_dir)
    try:
        index = Index(path)
        try:
            found = list(differences(clips, index.all_events()))
            if found:
                again = set(differences(clips, index.all_events()))
                found = [line for line in found if line in again]
            count = index.count()
        finally:
            index.close()
    except IndexOfOtherVersion as err:
        print(f"{path}: {err}; the recorder sees to it when it starts")
        return 1
    except IndexDamaged as err:
        print(f"{path}: damaged: {err}; the recorder makes it anew from the files when it starts")
        return 1
    except IndexUnavailable as err:
        print(f"{path}: not checked: {err}")
        return 1
    for line in found:
        print(line)
    print(f"{count} events, {len(found)} differences")
    return 1 if found else 0


def differences(clips: ClipsDir, events: Iterable[wire.Event]) -> Iterator[str]:
    """Each difference in words: where, and what differs from what. None when all is well."""
    known: set[str] = set()
    for event in events:
        folder = ClipsDir.folder_of(event.event_id, event.triggered_unix_ns)
        known.add(folder)
        try:
            yield from _event_differences(clips, folder, event)
        except OSError as err:
            yield f"{shown(str(err.filename or folder))}: cannot be read: {err.strerror or err}"
    for folder in clips.folders():
        if folder not in known:
            yield f"{folder}: the index does not have this event"


def _event_differences(clips: ClipsDir, folder: str, event: wire.Event) -> Iterator[str]:
    is_over = event.state not in {"scheduled", "recording"}
    if not clips.folder(folder).is_dir():
        if is_over:
            yield f"{folder}: missing, the index has this event"
        return
    if is_over and not clips.event_file(folder).is_file():
        yield f"{folder}/event.json: missing"
    for clip in event.clips:
        if clip.state not in {"scheduled", "recording"}:
            yield from _clip_differences(clips, folder, clip)
    yield from _unlisted(clips, folder, event)


def _clip_differences(clips: ClipsDir, folder: str, clip: wire.Clip) -> Iterator[str]:
    for kind, fact in clip.files.items():
        path = clips.root / fact.path
        if not path.is_file():
            yield f"{fact.path}: missing, the index lists it as {kind}"
        elif path.stat().st_size != fact.size_bytes:
            yield f"{fact.path}: {path.stat().st_size} bytes, the index says {fact.size_bytes}"
        elif fact.sha256 is not None and sha256_of(path) != fact.sha256:
            yield f"{fact.path}: its SHA-256 is not {fact.sha256}"
    if clip.state == "failed" and "sidecar" not in clip.files:
        return
    paths = clips.clip(folder, clip.camera_id)
    name = clips.relative(paths.sidecar)
    try:
        stated = sidecar.parse(paths.sidecar.read_bytes()).clip
    except OSError as err:
        if "sidecar" not in clip.files:
            yield f"{name}: {err.strerror or err}"
        return
    except sidecar.SidecarDamaged as err:
        yield f"{name}: damaged: {err}"
        return
    for field in _STATED:
        ours, theirs = getattr(clip, field), getattr(stated, field)
        if ours != theirs:
            yield f"{name}: {field} is {theirs!r}, the index says {ours!r}"
    for kind in sorted(stated.files.keys() & clip.files.keys()):
        if stated.files[kind].sha256 not in (None, clip.files[kind].sha256):
            yield f"{name}: {kind} has SHA-256 {stated.files[kind].sha256}, the index says {clip.files[kind].sha256}"


def _unlisted(clips: ClipsDir, folder: str, event: wire.Event) -> Iterator[str]:
    listed = {fact.path for clip in event.clips for fact in clip.files.values()} | {f"{folder}/event.json"}
    at_work = {clip.camera_id for clip in event.clips if clip.state in ("scheduled", "recording", "saved")}
    for path in sorted(clips.folder(folder).iterdir()):
        name = shown(clips.relative(path))
        if name in listed or path.name.partition(".")[0] in at_work:
            continue
        what = "left behind by a crash" if path.name.endswith(PART) else "not in the index"
        yield f"{name}: {what}"

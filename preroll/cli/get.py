"""`preroll get`: an event's files, onto this machine."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from preroll.cli.api import event_path
from preroll.cli.documents import Clip, Event, File, FileKind
from preroll.cli.download import download, is_there
from preroll.cli.exits import ExitCode, Stopped
from preroll.cli.session import Session, connected
from preroll.cli.waiting import wait_for_end

_SUFFIX: Final[dict[FileKind, str]] = {
    "clip": ".mp4",
    "original": ".original.mp4",
    "poster": ".jpg",
    "sidecar": ".json",
}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file and the name it gets here."""

    name: str
    file: File


@connected
def get(
    session: Session,
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="The event's id.")],
    to: Annotated[Path, typer.Option("--to", "-o", metavar="FOLDER", help="Where to; made if need be.")] = Path(),
    camera: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this camera; may be repeated.")] = None,
    original: Annotated[bool, typer.Option("--original", help="The clips as the cameras sent them.")] = False,
    all_files: Annotated[bool, typer.Option("--all", help="Every file: clips, originals, pictures, sidecars.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are here and differ.")] = False,
    waits: Annotated[bool, typer.Option("--wait", help="Until every clip is ready or has failed.")] = False,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long --wait waits.")] = 600,
) -> None:
    """Download an event's clips, check their SHA-256 and print their paths.

    A file that is here already is not fetched again; one that broke off goes on where it was.
    With --json: prints the event's document; the paths go to stderr.
    """
    answer = wait_for_end(session, event_id, timeout) if waits else session.api.get(event_path(event_id))
    event: Event = answer.json()
    if session.as_json:
        session.terminal.json(answer.text)
    clips = _chosen(event, camera)
    kinds: list[FileKind] = list(_SUFFIX) if all_files else ["original" if original else "clip"]
    files = [
        Wanted(f"{event['event_id']}-{clip['camera_id']}{_SUFFIX[kind]}", clip["files"][kind])
        for clip in clips
        for kind in kinds
        if kind in clip["files"]
    ]
    if files:
        _fetch_all(session, files, to, force=force)
    _check_nothing_lacks(event, clips, kinds[0])


def _chosen(event: Event, cameras: list[str] | None) -> list[Clip]:
    there = {clip["camera_id"]: clip for clip in event["clips"]}
    for camera_id in cameras or there:
        if camera_id not in there:
            known = ", ".join(there)
            raise Stopped(ExitCode.NOT_FOUND, f"event {event['event_id']} has no clip of {camera_id}; it has {known}")
    chosen = [there[camera_id] for camera_id in dict.fromkeys(cameras or there)]
    for name in (event["event_id"], *(clip["camera_id"] for clip in chosen)):
        if not _NAME.fullmatch(name):
            raise Stopped(ExitCode.FAILED, f"{name!r} cannot be a part of a file's name")
    return chosen


def _fetch_all(session: Session, files: list[Wanted], folder: Path, *, force: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    err = session.terminal.err
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        for wanted in files:
            path = folder / wanted.name
            if not is_there(path, wanted.file):
                if path.exists() and not force:
                    raise Stopped(ExitCode.REFUSED, f"{path} is here and differs; --force replaces it")
                task = progress.add_task(wanted.name, total=wanted.file["size_bytes"])
                download(session.api, wanted.file, path, lambda here, task=task: progress.update(task, completed=here))  # type: ignore[misc]
            if wanted.file["sha256"] is None:
                session.terminal.say(f"{path}: the event names no SHA-256; only its size was checked")
            if session.as_json:
                session.terminal.say(f"saved {path}")
            else:
                progress.stop()  # a line of data must not land in the bar
                typer.echo(path)
                progress.start()


def _check_nothing_lacks(event: Event, clips: list[Clip], kind: FileKind) -> None:
    lacking = [clip for clip in clips if kind not in clip["files"]]
    if not lacking:
        return
    said = ", ".join(f"{clip['camera_id']} ({clip['state']})" for clip in lacking)
    if all(clip["state"] == "failed" for clip in lacking):
        raise Stopped(ExitCode.FAILED, f"event {event['event_id']} has failed clips: {said}")
    if kind == "original" and any(clip["state"] == "ready" for clip in lacking):
        raise Stopped(ExitCode.NOT_FOUND, f"event {event['event_id']} has no original of {said}: it was not kept")
    raise Stopped(ExitCode.REFUSED, f"event {event['event_id']} has no {kind} yet of {said}; --wait waits for it")

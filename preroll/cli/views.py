"""Documents as a person reads them. Pure: documents in, renderables out."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from preroll.cli.documents import Camera, Clip, Diagnosis, Event, LogRecord
from preroll.cli.terminal import STYLE_OF, Column, clean, labels, moment, size, state, table

_EVENTS: Final = (
    Column("EVENT"),
    Column("TRIGGERED"),
    Column("STATE"),
    Column("CAMERAS", from_width=72),
    Column("WINDOW", from_width=90),
    Column("LABELS", from_width=100),
)
_NOT_LOST: Final = {"restarts", "refused_foreign_key"}  # no frames, and frames of somebody else
_CAMERAS: Final = (
    Column("CAMERA"),
    Column("STATE"),
    Column("SIZE", from_width=60),
    Column("FPS", justify="right"),
    Column("IN MEMORY", justify="right"),
    Column("LOST", justify="right"),
    Column("LAST FRAME", from_width=80, justify="right"),
    Column("SOURCE", from_width=100),
)
_FINDINGS: Final = (Column("SUBJECT"), Column("STATE"), Column("WHAT IS, AND WHAT TO DO"))
_CLIPS: Final = (
    Column("CAMERA"),
    Column("STATE"),
    Column("COMPLETE"),
    Column("FRAMES", justify="right"),
    Column("LOST", justify="right"),
    Column("FROM", from_width=150),
    Column("TO", from_width=150),
    Column("FILES", from_width=60),
)


def events_table(events: Sequence[Event], width: int) -> Table:
    return table(_EVENTS, (_event_row(event) for event in events), width)


def _event_row(event: Event) -> tuple[str | Text, ...]:
    return (
        event["event_id"],
        moment(event["triggered_at"]),
        state(event["state"]),
        ", ".join(clip["camera_id"] for clip in event["clips"]),
        f"-{event['pre_s']:g} +{event['post_s']:g} s",
        labels(event["labels"]),
    )


def cameras_table(cameras: Iterable[Camera], width: int) -> Table:
    return table(_CAMERAS, (_camera_row(camera) for camera in cameras), width)


def _camera_row(camera: Camera) -> tuple[str | Text, ...]:
    enough = camera["ring_s"] >= camera["wanted_s"]
    held = Text(f"{camera['ring_s']:.1f} of {camera['wanted_s']:g} s", style="" if enough else "yellow")
    lost = sum(count for cause, count in camera["losses"].items() if cause not in _NOT_LOST)
    age_s = camera["age_s"]
    return (
        camera["camera_id"],
        state(camera["state"]),
        f"{camera['width']}x{camera['height']}" if camera["width"] else "-",
        f"{camera['fps']:.1f}",
        held,
        Text(str(lost), style="yellow" if lost else ""),
        "-" if age_s is None else f"{age_s:.1f} s ago",
        camera.get("source") or "-",
    )


def diagnosis_table(diagnosis: Diagnosis, width: int) -> Table:
    """What is, and under it, where something is to be done, what."""
    rows: list[tuple[str | Text, ...]] = []
    for finding in diagnosis["findings"]:
        rows.append((finding["subject"], state(finding["state"]), finding["said"]))
        if finding["advice"] is not None:
            rows.append(("", "", Text(f"-> {clean(finding['advice'])}", style="dim")))
    return table(_FINDINGS, rows, width)


def event_view(event: Event, width: int) -> Group:
    """One event: what it is, its clips, and what they lack."""
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_row("event", Text(clean(event["event_id"]), style="bold"))
    facts.add_row("state", state(event["state"]))
    facts.add_row("triggered", moment(event["triggered_at"]))
    facts.add_row("window", f"{event['pre_s']:g} s before, {event['post_s']:g} s after")
    facts.add_row("accepted", f"{event['accepted_after_s'] * 1000:.1f} ms after its receipt")
    if event["labels"]:
        facts.add_row("labels", Text(labels(event["labels"])))
    if event["protected"]:
        facts.add_row("protected", "from retention")
    clips = table(_CLIPS, (_clip_row(clip) for clip in event["clips"]), width)
    parts: list[RenderableType] = [facts, Text(), clips]
    for clip in event["clips"]:
        parts += [
            Text(f"{clean(clip['camera_id'])} lacks: {clean(lack)}", style="yellow") for lack in clip["shortfall"]
        ]
    return Group(*parts)


def _clip_row(clip: Clip) -> tuple[str | Text, ...]:
    delivered = clip["delivered"]
    complete = {True: Text("yes", style="green"), False: Text("no", style="yellow"), None: Text("-")}[clip["complete"]]
    return (
        clip["camera_id"],
        state(clip["state"]),
        complete,
        "-" if delivered is None else str(delivered["frames"]),
        "-" if delivered is None else str(delivered["lost"]),
        "-" if delivered is None else moment(delivered["from"]),
        "-" if delivered is None else moment(delivered["to"]),
        ", ".join(f"{kind} {size(file['size_bytes'])}" for kind, file in sorted(clip["files"].items())) or "-",
    )


def log_line(record: LogRecord) -> Text:
    """`2026-03-01 12:00:00.250Z INFO     recorder  message  key=value …`, on one line."""
    who = record["service"] if record["camera_id"] is None else f"{record['service']}/{record['camera_id']}"
    fields = "".join(
        f"  {clean(key)}={clean(str(value))}" for key, value in record["fields"].items() if key != "camera_id"
    )
    level = record["level"]
    return Text.assemble(
        (moment(record["time"]), "dim"),
        " ",
        (f"{clean(level):8}", STYLE_OF.get(level, "")),
        " ",
        (f"{clean(who):16}", "cyan"),
        " ",
        clean(record["message"]),
        (fields, "dim"),
    )

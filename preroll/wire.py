"""The contract between the services: every message, its one definition and its bytes.

Pure: no I/O, no clock, no locks. Any bytes either decode to a valid message or raise `WireError`, which names the field.
Unknown keys are ignored, so services may differ by a version; `v` states the version of the contract.

- Frames are multipart `[topic, header, jpeg]`; the pixels never enter msgpack. The header is a struct of msgspec, which
  decodes and checks it in one step: it is on the path of every frame.
- Commands and queries (REQ/REP) and the bus (PUSH/PULL) are msgpack maps with `v` and `type`, defined as pydantic models.
"""

import re
from typing import Annotated, Any, Final, Literal, Self, TypeVar

import msgpack
import msgspec
from msgspec import Meta, Struct
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

VERSION: Final = 1
HEADER_MAX_BYTES: Final = 4 * 1024
MESSAGE_MAX_BYTES: Final = 4 * 1024 * 1024
FRAME_MAX_BYTES: Final = 32 * 1024 * 1024
INT63_MAX: Final = 2**63 - 1

CAMERA_ID_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"
EVENT_ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
RUN_ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
LABELS_MAX: Final = 32
FPS_MAX: Final = 100_000
LABEL_MAX_CHARS: Final = 256

CameraId = Annotated[str, StringConstraints(pattern=CAMERA_ID_PATTERN)]
EventId = Annotated[str, StringConstraints(pattern=EVENT_ID_PATTERN)]
CommandId = Annotated[str, StringConstraints(min_length=1, max_length=64)] | None  # the caller's: sent twice, done once
Nanoseconds = Annotated[int, Field(ge=-INT63_MAX, le=INT63_MAX)]
Count = Annotated[int, Field(ge=0, le=INT63_MAX)]
Text = Annotated[str, StringConstraints(max_length=8192)]
LabelText = Annotated[str, StringConstraints(max_length=LABEL_MAX_CHARS)]
Labels = Annotated[dict[LabelText, LabelText], Field(max_length=LABELS_MAX)]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class WireError(ValueError):
    """Bytes that are no message of this contract. The text names the field, the value and the limit."""


# --- frames ----------------------------------------------------------------------------------------------------------


ID_MAX_CHARS: Final = 63
RUN_MAX_CHARS: Final = 64
SIDE_MAX_PX: Final = 65_535

_Id = Annotated[str, Meta(min_length=1, max_length=ID_MAX_CHARS)]
_Run = Annotated[str, Meta(min_length=1, max_length=RUN_MAX_CHARS)]
_Number = Annotated[int, Meta(ge=0, le=INT63_MAX)]
_Side = Annotated[int, Meta(ge=0, le=SIDE_MAX_PX)]


class FrameHeader(Struct, frozen=True, gc=False, tag_field="v", tag=VERSION):
    """What capture says of one frame. The bytes' `v` is checked, and is 1 where there is none.

    `run_id` is letters, digits, `.`, `_`, `:` and `-`, not beginning with these four; whoever takes a run's first frame
    checks that. `seq` counts from 0 within the run, and a frame that capture rejected (a corrupt JPEG) consumes its
    number, so a hole in `seq` less the growth of `rejected` is loss on the wire. `monotonic_ns` is the capture time
    on the clock of the boot `boot_id`; `unix_ns` is the same moment by an offset read once a run.
    `width` and `height` are pixels, as the JPEG states them.
    """

    camera_id: _Id
    boot_id: _Run
    run_id: _Run
    seq: _Number
    rejected: _Number
    monotonic_ns: _Number
    unix_ns: _Number
    codec: Literal["jpeg"]
    keyframe: bool
    width: _Side
    height: _Side


_encode_header: Final = msgspec.msgpack.Encoder().encode
_decode_header: Final = msgspec.msgpack.Decoder(FrameHeader).decode
_ONLY: Final = {"v": VERSION, "codec": "jpeg"}
_WRONG: Final = re.compile(r"(?P<what>.*) - at `\$\.(?P<field>\w+)`", re.DOTALL)


def topic_of(camera_id: str) -> bytes:
    """The topic of a camera's frames. It ends in a slash, so that `cam1` never matches `cam10`."""
    return b"frame/" + camera_id.encode() + b"/"


def is_camera_id(text: str) -> bool:
    """Whether `text` can name a camera: up to 63 characters of a to z, 0 to 9, `_` and `-`, not beginning with the last two."""
    return re.fullmatch(CAMERA_ID_PATTERN, text) is not None and not text.endswith("\n")


def is_event_id(text: str) -> bool:
    """Whether `text` can name an event."""
    return re.fullmatch(EVENT_ID_PATTERN, text) is not None and not text.endswith("\n")


def is_run_id(text: str) -> bool:
    """Whether `text` can name a run: it appears in headers of HTTP, in addresses and in logs as it is."""
    return re.fullmatch(RUN_ID_PATTERN, text) is not None and not text.endswith("\n")


def encode_header(header: FrameHeader) -> bytes:
    """The header's bytes; at most `HEADER_MAX_BYTES` for every valid header."""
    return _encode_header(header)


def decode_header(data: bytes) -> FrameHeader:
    """The header in `data`, or `WireError` naming the field that is wrong, its value and the limit."""
    if len(data) > HEADER_MAX_BYTES:
        raise WireError(f"frame header of {len(data)} bytes exceeds {HEADER_MAX_BYTES}")
    try:
        return _decode_header(data)
    except (msgspec.MsgspecError, RecursionError) as err:
        raise _what_is_wrong(data, str(err)) from None


def _what_is_wrong(data: bytes, complaint: str) -> WireError:
    """The decoder's complaint, which names the field and the limit, with the value."""
    wrong = _WRONG.fullmatch(complaint)
    if wrong is None:
        return WireError(f"frame header: {complaint}")
    field = wrong["field"]
    limit = f"is not {_ONLY[field]!r}" if field in _ONLY else f"is wrong: {wrong['what'].lower()}"
    return WireError(f"frame header: {field}={_shown(_unpack(data).get(field))} {limit}")


# --- records that several messages carry -----------------------------------------------------------------------------

CameraState = Literal["starting", "live", "stalled", "lost"]
ClipState = Literal["scheduled", "recording", "saved", "ready", "failed"]
Coverage = Literal["full", "partial", "none"]
Overlap = Literal["separate", "reject"]
FileKind = Literal["clip", "original", "poster", "sidecar"]
RefusalCode = Literal[
    "malformed",  # the bytes are no message
    "unknown_camera",
    "unknown_event",
    "no_frame",  # nothing in the ring at that moment
    "window_out_of_bounds",
    "out_of_reach",  # `at` lies too far ahead, or `at_frame` is no longer in the ring
    "conflict",  # the same event_id with another request
    "overlapping",  # overlap=reject and a clip of that camera is being recorded
    "wrong_state",  # the event or camera is not in a state that allows this
    "too_many_commands",
    "too_many_events",
    "storage_full",
    "index_unavailable",  # another program holds it, or the disk or the file is damaged
    "storage_failed",  # the disk cannot be read or written, or the clips directory was taken away
    "out_of_descriptors",  # of files and connections: the clips would find none
    "out_of_threads",
    "starting",  # what the last run left is taken up first
    "shutting_down",
    "busy",  # a part of the recorder waits for the disk: nothing was done, ask again
    "internal",
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class InstantRecord(_Record):
    """One moment, read on both clocks of one boot."""

    boot_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    monotonic_ns: Nanoseconds
    unix_ns: Nanoseconds


class FrameRef(_Record):
    """One frame, named exactly."""

    camera_id: CameraId
    run_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    seq: Count


class Span(_Record):
    """From one moment to another, wall clock in nanoseconds since 1970 UTC, by the event's own offset."""

    from_unix_ns: Nanoseconds
    to_unix_ns: Nanoseconds


class Delivered(_Record):
    """What is in the clip: the first and last frame's times, and counts of frames present and lost."""

    from_unix_ns: Nanoseconds
    to_unix_ns: Nanoseconds
    frames: Count
    lost: Count


class FileFact(_Record):
    """One file of a clip. `path` is relative to the clips directory, with forward slashes.

    `sha256` is hexadecimal, and `None` until the file has been read through (shortly after `saved`).
    """

    path: Annotated[str, StringConstraints(max_length=512)]
    size_bytes: Count
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


class Clip(_Record):
    """One camera's part of an event.

    A clip that is `complete` has frames from both ends of `requested`, to within `slack_ns`: another cannot be built. A
    record without `slack_ns`, of before there was one, that does not keep this is read as incomplete, and says why.
    """

    camera_id: CameraId
    state: ClipState
    coverage: Coverage
    missing_s: Seconds  # of the requested window, as known when the event was accepted
    complete: bool | None  # None until the recording has ended
    shortfall: tuple[Text, ...]
    requested: Span
    delivered: Delivered | None
    files: dict[FileKind, FileFact]
    saved_after_s: Seconds | None = None  # from the window's end to `saved`
    ready_after_s: Seconds | None = None  # from the window's end to `ready`
    slack_ns: Count | None = None  # how far within `requested` an end may lie for the clip to be complete

    @model_validator(mode="after")
    def _covers_what_was_requested(self) -> Self:
        if not self.complete:
            return self
        is_of_before = "slack_ns" not in self.model_fields_set
        slack_ns = _slack_of_before(self.delivered) if is_of_before else self.slack_ns
        lacks = _lacks(self.requested, self.delivered, slack_ns)
        if not is_of_before and lacks:
            raise ValueError(f"complete, but the clip of {self.camera_id} {lacks}")
        if lacks:
            changed = {"complete": False, "shortfall": (*self.shortfall, f"{lacks}, though recorded as complete")}
        else:
            changed = {"slack_ns": slack_ns}
        self.__dict__.update(changed)  # nobody has seen this record yet
        return self


def _slack_of_before(delivered: Delivered | None) -> int:
    """The slack of a record that states none: as late as a frame may come before its camera has stalled."""
    if delivered is None or delivered.frames < 2:
        return 1_000_000_000
    return max(500_000_000, 5 * (delivered.to_unix_ns - delivered.from_unix_ns) // (delivered.frames - 1))


def _lacks(requested: Span, delivered: Delivered | None, slack_ns: int | None) -> str:
    """In words, what of the requested window was not delivered; empty when nothing is missing."""
    if delivered is None:
        return "has no frame"
    if slack_ns is None:
        return "does not say by which slack"
    late_ns = delivered.from_unix_ns - requested.from_unix_ns
    early_ns = requested.to_unix_ns - delivered.to_unix_ns
    said = [f"begins {late_ns / 1e9:.3f} s late"] if late_ns > slack_ns else []
    said += [f"ends {early_ns / 1e9:.3f} s early"] if early_ns > slack_ns else []
    return " and ".join(said)


class Event(_Record):
    """One trigger and all its clips."""

    event_id: EventId
    state: ClipState
    triggered_unix_ns: Nanoseconds
    received_unix_ns: Nanoseconds
    pre_s: Seconds
    post_s: Seconds
    labels: Labels
    is_protected: bool
    fingerprint: Annotated[str, StringConstraints(max_length=128)]
    accepted_after_s: Seconds  # from receipt by the API to durable acceptance
    clips: tuple[Clip, ...]
    running_ns: Count | None = None  # how long recorders had run on its clips directory when it was accepted
    revision: Count = 0  # raised with each change of the event's own facts: of two files, the higher one is newer


class Losses(_Record):
    """Counters since the recorder started, one for each place where a frame can be lost."""

    rejected_by_capture: Count = 0  # corrupt or truncated JPEGs, by capture's own count
    lost_on_wire: Count = 0  # holes in seq that capture did not state
    rejected_by_recorder: Count = 0  # malformed headers or payloads that name this camera
    refused_second_run: Count = 0  # frames of a second capture with the same camera_id
    refused_foreign_key: Count = 0  # frames that came with a key that does not speak for this camera
    out_of_order: Count = 0  # frames whose time or number did not go on from the frame before
    evicted_early: Count = 0  # frames that the byte limit pushed out before ring_s
    dropped_by_writer: Count = 0  # frames a clip could not take, the disk being too slow
    restarts: Count = 0  # runs begun after the first, and numbers begun anew within one; what is missing is unknown


class Camera(_Record):
    """One camera as the recorder sees it now."""

    camera_id: CameraId
    state: CameraState
    run_id: Annotated[str, StringConstraints(max_length=64)] | None
    width: Annotated[int, Field(ge=0, le=65_535)]
    height: Annotated[int, Field(ge=0, le=65_535)]
    fps: Annotated[float, Field(ge=0, le=FPS_MAX)]  # measured over the ring's last seconds
    frames: Count  # received since the recorder started
    ring_s: Seconds
    ring_frames: Count
    ring_bytes: Count
    wanted_s: Seconds  # what a trigger with default settings needs of the ring
    age_s: Seconds | None  # of the last frame; None when there was none
    losses: Losses


class Disk(_Record):
    """The clips directory."""

    total_bytes: Count
    free_bytes: Count
    clips_bytes: Count
    is_full: bool  # below the minimum free space: new triggers are refused
    files_free: Count | None = None  # how many files may still be made (inodes); None where that has no limit
    error: Text | None = None  # why nothing can be written to it, or its figures, then 0, could not be read


class Retention(_Record):
    """How removal by age stands."""

    running_s: Annotated[float, Field(ge=0)]  # for which recorders have run on this clips directory, all told
    held_s: Annotated[float, Field(ge=0)]  # of running yet, in which nothing goes by age: the wall clock was set
    wall_steps: Count  # times that the wall clock was set by more than a minute, since the recorder started
    last_step_s: Annotated[float, Field(allow_inf_nan=False)] | None  # by how much, forth or back
    overdue_events: Count  # events past retention_days by the calendar, which have yet to go


class RecorderHealth(_Record):
    """The recorder's own figures, as of now."""

    run_id: Annotated[str, StringConstraints(max_length=64)]
    uptime_s: Annotated[float, Field(ge=0)]
    memory_bytes: Count
    ring_bytes: Count
    ring_max_bytes: Count
    ring_window_s: Seconds
    events_active: Count
    events_total: Count
    clips_recording: Count
    encodes_waiting: Count
    encodes_running: Count
    encodes_failed: Count = 0  # tries to make a clip ready that failed
    clips_without_rendition: Count = 0  # saved clips whose rendition could not be made
    encoder: Annotated[str, StringConstraints(max_length=64)]
    disk: Disk
    malformed_messages: Count
    commands: Count
    commands_refused: Count
    bus_dropped: Count
    peers_refused: Count = 0  # connections without a key for that socket
    refused_foreign_key: Count = 0  # frames with another camera's key, of unknown cameras too
    backlog_bytes: Count = 0  # frames that clips wait to have written and that no ring holds any more
    backlog_max_bytes: Count = 0
    connections_cut: Count = 0  # they filled the memory with messages that do not end
    retention: Retention | None = None
    descriptors_limit: Count | None = None  # files and connections; None where the system does not tell
    descriptors_in_use: Count | None = None
    now: InstantRecord | None = None  # the recorder's clocks when it made this
    memory_limit_bytes: Count | None = None  # of its container or unit; None where there is none
    min_free_bytes: Count | None = None  # of the disk, below which the oldest events go and triggers are refused
    oldest_event_unix_ns: Nanoseconds | None = None  # when the oldest and the newest event kept were triggered
    newest_event_unix_ns: Nanoseconds | None = None


# --- commands: recorder REP :5551 ------------------------------------------------------------------------------------


class _Message(_Record):
    v: Literal[1] = 1


class StartEvent(_Message):
    """Record an event.

    The anchor is `received` (when the API took the trigger in) plus `offset_ns` (an `at` other than now), or the
    very frame `at_frame`. `age_ns` is the time from receipt to sending: where the boots differ, the recorder
    reckons the moment of receipt as its own now less `age_ns`. `fingerprint` is a digest of the request: the same
    `event_id` with the same fingerprint is the same event. `None` means the recorder's default.
    """

    type: Literal["start_event"] = "start_event"
    event_id: EventId
    fingerprint: Annotated[str, StringConstraints(max_length=128)]
    received: InstantRecord
    age_ns: Count
    offset_ns: Nanoseconds = 0
    at_frame: FrameRef | None = None
    cameras: Annotated[tuple[CameraId, ...], Field(max_length=256)] | None = None
    pre_s: Seconds | None = None
    post_s: Seconds | None = None
    labels: Labels = {}
    overlap: Overlap | None = None


class CheckTrigger(_Message):
    """Ask whether a trigger with default settings would be accepted now. Records nothing.

    `received` and `age_ns` are as for `StartEvent`. A recorder of before refuses this as malformed.
    """

    type: Literal["check_trigger"] = "check_trigger"
    received: InstantRecord
    age_ns: Count


class AmendEvent(_Message):
    """Move the end of a running event's window: `post_s` seconds after its anchor; 0 ends it now."""

    type: Literal["amend_event"] = "amend_event"
    event_id: EventId
    post_s: Seconds
    command_id: CommandId = None


class DeleteEvent(_Message):
    """Remove an event and its files. A running recording is ended first."""

    type: Literal["delete_event"] = "delete_event"
    event_id: EventId
    command_id: CommandId = None


class ProtectEvent(_Message):
    """Keep an event from retention, or no longer."""

    type: Literal["protect_event"] = "protect_event"
    event_id: EventId
    is_protected: bool
    command_id: CommandId = None


class ForgetCamera(_Message):
    """Forget a camera that is gone. Refused while it sends frames."""

    type: Literal["forget_camera"] = "forget_camera"
    camera_id: CameraId
    command_id: CommandId = None


Command = Annotated[
    StartEvent | CheckTrigger | AmendEvent | DeleteEvent | ProtectEvent | ForgetCamera,
    Field(discriminator="type"),
]

# --- queries: recorder REP :5553 -------------------------------------------------------------------------------------


class ListEvents(_Message):
    """Events, newest first by trigger time. `cursor` is the `next_cursor` of the page before.

    `as_records` asks for `records` in the reply; a recorder of before answers with `events` all the same.
    """

    type: Literal["list_events"] = "list_events"
    as_records: bool = False
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    cursor: Annotated[str, StringConstraints(max_length=256)] | None = None
    camera_id: CameraId | None = None
    label: Annotated[str, StringConstraints(max_length=513)] | None = None  # `key`, or `key=value`
    since_unix_ns: Nanoseconds | None = None
    until_unix_ns: Nanoseconds | None = None


class GetEvent(_Message):
    """One event."""

    type: Literal["get_event"] = "get_event"
    event_id: EventId


class ListCameras(_Message):
    """All cameras, by id."""

    type: Literal["list_cameras"] = "list_cameras"


class GetFrame(_Message):
    """One frame out of a camera's ring: the newest, or the nearest to `at`, or the one `steps` frames from `ref`.

    `at` is the instant (as for `StartEvent`: `received` plus `offset_ns`). At most one of `at` and `ref` is given.
    With `newer_than_seq`, "no_frame" is answered when the newest frame is still that one of the same run.
    """

    type: Literal["get_frame"] = "get_frame"
    camera_id: CameraId
    at: InstantRecord | None = None
    age_ns: Count = 0
    offset_ns: Nanoseconds = 0
    ref: FrameRef | None = None
    steps: Annotated[int, Field(ge=-100_000, le=100_000)] = 0


class GetHealth(_Message):
    """The recorder's own figures."""

    type: Literal["get_health"] = "get_health"


Query = Annotated[
    ListEvents | GetEvent | ListCameras | GetFrame | GetHealth,
    Field(discriminator="type"),
]

# --- replies to both -------------------------------------------------------------------------------------------------


class EventReply(_Message):
    """The event as it now is. `is_new` is false when a `StartEvent` named one that exists."""

    type: Literal["event"] = "event"
    event: Event
    is_new: bool = False


class EventsReply(_Message):
    """A page of events. It may have fewer than were asked for: the end is where `next_cursor` is `None`.

    `records` are events, too, each as the index has it: the msgpack map of an `Event`, which nobody has checked.
    """

    type: Literal["events"] = "events"
    events: tuple[Event, ...]
    records: tuple[bytes, ...] = ()
    next_cursor: Annotated[str, StringConstraints(max_length=256)] | None = None


class CamerasReply(_Message):
    """All cameras."""

    type: Literal["cameras"] = "cameras"
    cameras: tuple[Camera, ...]


class FrameReply(_Message):
    """One frame, its name, its time and its JPEG.

    `oldest_unix_ns` and `newest_unix_ns` are the ends of the camera's ring at that moment.
    """

    type: Literal["frame"] = "frame"
    ref: FrameRef
    unix_ns: Nanoseconds
    width: Annotated[int, Field(ge=0, le=65_535)]
    height: Annotated[int, Field(ge=0, le=65_535)]
    oldest_unix_ns: Nanoseconds
    newest_unix_ns: Nanoseconds
    jpeg: bytes


class HealthReply(_Message):
    """The recorder's own figures."""

    type: Literal["health"] = "health"
    health: RecorderHealth


class Done(_Message):
    """Carried out; nothing to add."""

    type: Literal["done"] = "done"


class Refused(_Message):
    """Not carried out, and why: which value, which limit. `state` is that of the event, where it matters."""

    type: Literal["refused"] = "refused"
    code: RefusalCode
    message: Text
    state: ClipState | None = None


class TriggerChecked(_Message):
    """What a trigger would have met: `refused` is `None` where it would have been accepted."""

    type: Literal["trigger_checked"] = "trigger_checked"
    cameras_live: Count
    refused: Refused | None = None


Reply = Annotated[
    EventReply | EventsReply | CamerasReply | FrameReply | HealthReply | TriggerChecked | Done | Refused,
    Field(discriminator="type"),
]

# --- the bus: API PULL :5552 -----------------------------------------------------------------------------------------

Service = Literal["capture", "recorder", "api"]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Scalar = str | int | float | bool | None


class _BusMessage(_Message):
    """Every sender (a run of a service) numbers its messages from 0, so that the receiver can count losses."""

    service: Service
    instance: Annotated[str, StringConstraints(min_length=1, max_length=128)]  # the camera id, or the host's name
    sender_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]  # random, one a run
    number: Count
    unix_ns: Nanoseconds


class LogMessage(_BusMessage):
    """One log record."""

    type: Literal["log"] = "log"
    level: Level
    logger: Annotated[str, StringConstraints(max_length=256)]
    message: Text
    fields: Annotated[dict[Annotated[str, StringConstraints(max_length=64)], Scalar], Field(max_length=64)] = {}


class CaptureStatus(_BusMessage):
    """What a capture says of itself once a second. `source` is shown without any password."""

    type: Literal["capture_status"] = "capture_status"
    camera_id: CameraId
    run_id: Annotated[str, StringConstraints(max_length=64)]
    source: Text
    is_open: bool
    fps: Annotated[float, Field(ge=0)]
    frames: Count
    rejected: Count
    reopened: Count


class RecorderStatus(_BusMessage):
    """What the recorder says of itself and its cameras once a second."""

    type: Literal["recorder_status"] = "recorder_status"
    cameras: tuple[Camera, ...]
    health: RecorderHealth


class EventChanged(_BusMessage):
    """An event, whole, after a change of its state or of a clip's."""

    type: Literal["event_changed"] = "event_changed"
    event: Event


class EventDeleted(_BusMessage):
    """An event is gone, and why."""

    type: Literal["event_deleted"] = "event_deleted"
    event_id: EventId
    reason: Literal["asked", "retention"]


class CameraChanged(_BusMessage):
    """A camera's state has changed."""

    type: Literal["camera_changed"] = "camera_changed"
    camera: Camera


BusMessage = Annotated[
    LogMessage | CaptureStatus | RecorderStatus | EventChanged | EventDeleted | CameraChanged,
    Field(discriminator="type"),
]

# --- bytes -----------------------------------------------------------------------------------------------------------

T = TypeVar("T")

_COMMANDS: Final[TypeAdapter[Command]] = TypeAdapter(Command)
_QUERIES: Final[TypeAdapter[Query]] = TypeAdapter(Query)
_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Event)
_REPLIES: Final[TypeAdapter[Reply]] = TypeAdapter(Reply)
_BUS: Final[TypeAdapter[BusMessage]] = TypeAdapter(BusMessage)


def encode(message: _Message) -> bytes:
    """The bytes of any command, query, reply or bus message."""
    packed: bytes = msgpack.packb(message.model_dump())
    return packed


def decode_command(data: bytes) -> Command:
    """The command in `data`, or `WireError` naming the field."""
    return _decode(_COMMANDS, data, "command")


def decode_query(data: bytes) -> Query:
    """The query in `data`, or `WireError` naming the field."""
    return _decode(_QUERIES, data, "query")


def decode_event(record: bytes) -> Event:
    """The event in one of `EventsReply.records`, or `WireError` naming the field."""
    return _decode(_EVENT, record, "event")


def decode_reply(data: bytes) -> Reply:
    """The reply in `data`, or `WireError` naming the field."""
    return _decode(_REPLIES, data, "reply", max_bytes=FRAME_MAX_BYTES + MESSAGE_MAX_BYTES)


def decode_bus(data: bytes) -> BusMessage:
    """The bus message in `data`, or `WireError` naming the field."""
    return _decode(_BUS, data, "bus message")


def _decode(adapter: TypeAdapter[T], data: bytes, kind: str, max_bytes: int = MESSAGE_MAX_BYTES) -> T:
    if len(data) > max_bytes:
        raise WireError(f"{kind} of {len(data)} bytes exceeds {max_bytes}")
    fields = _unpack(data)
    try:
        return adapter.validate_python(fields)
    except ValidationError as err:
        first = err.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "message"
        raise WireError(f"{kind}: {where}={_shown(first['input'])}: {first['msg']}") from None


def _unpack(data: bytes) -> dict[str, Any]:
    try:
        unpacked = msgpack.unpackb(data, use_list=False, strict_map_key=True)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as err:
        raise WireError(f"not msgpack: {type(err).__name__}: {_shown(str(err))}") from None
    if not isinstance(unpacked, dict):
        raise WireError(f"a message is a map, not {type(unpacked).__name__}")
    return unpacked


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."

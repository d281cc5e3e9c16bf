"""What a CURVE key may do, by its name. Pure: the names of the known keys are an argument.

A key says who; these rules say what he may:
- `recorder`, `api`, `triggers` and `delivery` are services. Every other key is a capture's, and its name is its camera's.
- Each camera has one owner, whose key alone speaks for it: the key of exactly its name; else, for NAME-<number> (as Compose
  names its containers), the key NAME; else the shared key `capture`.
"""

from collections.abc import Collection, Iterator
from typing import Final, Literal, get_args

from preroll import wire

Domain = Literal["frames", "control", "query", "bus", "watch"]

DOMAINS: Final[tuple[Domain, ...]] = get_args(Domain)
SERVICES: Final = frozenset({"recorder", "api", "triggers", "delivery"})
SHARED: Final = "capture"
CAMERAS_OF_A_KEY_MAX: Final = 16  # NAME-<number> is without end, and whoever has one key must not take all places
_MAY_ASK: Final = frozenset({"api", "recorder"})  # the recorder asks itself: its health check


def lets_in(domain: Domain, name: str) -> bool:
    """Whether the key `name` may connect to the sockets of `domain`.

    `watch` is a capture's own bound socket: there every known key may subscribe.
    """
    match domain:
        case "frames":
            return name not in SERVICES
        case "control" | "query":
            return name in _MAY_ASK
        case "bus" | "watch":
            return True


def names_for(camera_id: str) -> tuple[str, ...]:
    """The names of the keys that can speak for a camera; of those that are known, the first one does."""
    base, _, number = camera_id.rpartition("-")
    is_numbered = base and number.isascii() and number.isdecimal()
    return (camera_id, base, SHARED) if is_numbered else (camera_id, SHARED)


def owner_of(camera_id: str, names: Collection[str]) -> str | None:
    """The name of the one key that speaks for a camera, where keys of `names` are known; `None` when there is none."""
    if camera_id in SERVICES and camera_id in names:
        return None
    return next((name for name in names_for(camera_id) if name in names and name not in SERVICES), None)


def sharing(camera_ids: Collection[str], names: Collection[str]) -> list[str]:
    """The cameras for which the shared key speaks, sorted: any of them can pass itself off as another one."""
    return sorted(camera_id for camera_id in camera_ids if owner_of(camera_id, names) == SHARED)


def why_refused(camera_id: str, name: str | None, names: Collection[str], folder: str) -> str:
    """Why the key `name` was refused for a camera that it does not own, and what the operator is to do.

    `None` is a key that was known when its peer was let in, and is no more.
    """
    key = f"a key that {folder}/public no longer has" if name is None else f"key {name!r}"
    wrong = f"{key} does not speak for camera {camera_id!r}"
    if camera_id in SERVICES:
        return f"{wrong}: that is the name of a service; give the camera another id"
    owner = owner_of(camera_id, names)
    if owner not in {None, SHARED}:
        return (
            f"{wrong}, for which the key {owner!r} does: give {folder}/{owner}, made by `preroll keys {folder} {owner}`,"
            " to its capture"
        )
    return f"{wrong}: run `preroll keys {folder} {camera_id}` and give {folder}/{camera_id} to its capture"


def why_unsayable(message: wire.BusMessage, name: str, names: Collection[str], folder: str) -> str | None:
    """Why the key `name` may not say `message` on the bus; `None` when it may.

    A service speaks for itself alone. A capture tells its status and its logs, and names no camera but its own and no event.
    """
    if name in SERVICES:
        may_tell = name == "recorder" or isinstance(message, wire.LogMessage)
        if message.service == name and may_tell and not isinstance(message, wire.CaptureStatus):
            return None
        return f"key {name!r} does not say {message.type} as service {message.service!r}"
    if message.service != "capture" or not isinstance(message, wire.LogMessage | wire.CaptureStatus):
        return f"key {name!r} is a capture's and does not say {message.type} as service {message.service!r}"
    for camera_id in _cameras_named(message):
        if not wire.is_camera_id(camera_id):
            return f"key {name!r} does not speak for {camera_id[:80]!r}, which cannot name a camera"
        if owner_of(camera_id, names) != name:
            return why_refused(camera_id, name, names, folder)
    if isinstance(message, wire.LogMessage) and message.fields.get("event_id") is not None:
        return f"key {name!r} is a capture's and does not speak of events"
    return None


def _cameras_named(message: wire.LogMessage | wire.CaptureStatus) -> Iterator[str]:
    yield message.instance
    if isinstance(message, wire.CaptureStatus):
        yield message.camera_id
    elif (camera_id := message.fields.get("camera_id")) is not None:
        yield str(camera_id)

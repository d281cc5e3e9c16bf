"""Which key may do what."""

from typing import Any

import pytest

from preroll import wire
from preroll.security.permissions import owner_of, sharing, why_refused, why_unsayable
from tests.support.recorder import camera_of, event_of

KNOWN = frozenset({"recorder", "api", "capture", "door", "door-1", "hall-2", "press", "triggers"})


@pytest.mark.parametrize(
    ("camera_id", "owner"),
    [
        ("door", "door"),
        ("door-1", "door-1"),  # an exact name wins
        ("door-2", "door"),
        ("door-007", "door"),
        ("door-" + "9" * 58, "door"),
        ("door-1-2", "door-1"),
        ("door-2-2", "capture"),  # one number, not two
        ("door-", "capture"),
        ("door--1", "capture"),
        ("door-1a", "capture"),
        ("door-\u0661", "capture"),  # a digit, but not one of 0 to 9
        ("door1", "capture"),
        ("doors-1", "capture"),
        ("hall", "capture"),
        ("hall-2", "hall-2"),
        ("hall-2-1", "hall-2"),
        ("-1", "capture"),
        ("1", "capture"),
        ("capture", "capture"),
        ("capture-12", "capture"),
        ("recorder", None),  # a service's key is no camera's
        ("api", None),
        ("triggers", None),
        ("recorder-1", "capture"),
        ("api-1", "capture"),
        ("delivery", "capture"),  # there is no such service here
    ],
)
def test_each_camera_has_one_owner(camera_id: str, owner: str | None) -> None:
    assert owner_of(camera_id, KNOWN) == owner


def test_without_the_shared_key_a_camera_without_a_key_has_no_owner() -> None:
    assert owner_of("hall", KNOWN - {"capture"}) is None
    assert owner_of("capture-1", KNOWN - {"capture"}) is None


def test_which_cameras_share_a_key_is_known() -> None:
    assert sharing(["press", "yard", "door-2", "attic", "api"], KNOWN) == ["attic", "yard"]


def test_a_refusal_names_key_camera_and_what_to_run() -> None:
    assert why_refused("hall", "door", KNOWN, "/etc/preroll/keys") == (
        "key 'door' does not speak for camera 'hall': run `preroll keys /etc/preroll/keys hall` and give"
        " /etc/preroll/keys/hall to its capture"
    )
    assert why_refused("press", "door", KNOWN, "/k") == (
        "key 'door' does not speak for camera 'press', for which the key 'press' does: give /k/press, made by `preroll"
        " keys /k press`, to its capture"
    )
    assert "another id" in why_refused("api", "door", KNOWN, "/k")


STAMP: dict[str, Any] = {"sender_id": "s", "number": 0, "unix_ns": 0}


def log_of(service: str, instance: str, **fields: Any) -> wire.LogMessage:
    text = {"level": "INFO", "logger": "t", "message": "m", "fields": fields}
    return wire.LogMessage.model_validate({**STAMP, "service": service, "instance": instance, **text})


def status_of(camera_id: str, instance: str, service: str = "capture") -> wire.CaptureStatus:
    figures = {"run_id": "r", "source": "s", "is_open": True, "fps": 1.0, "frames": 1, "rejected": 0, "reopened": 0}
    return wire.CaptureStatus.model_validate(
        {**STAMP, "service": service, "instance": instance, "camera_id": camera_id, **figures}
    )


def of_recorder(service: str) -> list[wire.BusMessage]:
    stamp = {**STAMP, "service": service, "instance": "host"}
    return [
        wire.EventDeleted.model_validate({**stamp, "event_id": "e", "reason": "asked"}),
        wire.EventChanged.model_validate({**stamp, "event": event_of("e")}),
        wire.CameraChanged.model_validate({**stamp, "camera": camera_of("door-2")}),
    ]


def may_say(name: str, message: wire.BusMessage) -> bool:
    return why_unsayable(message, name, KNOWN, "/k") is None


def test_a_service_speaks_for_itself_alone() -> None:
    for service in ("recorder", "api", "capture"):
        for name in ("recorder", "api", "triggers"):
            assert may_say(name, log_of(service, "host", camera_id="press", event_id="e")) is (name == service)
    for message in of_recorder("recorder"):
        assert [name for name in sorted(KNOWN) if may_say(name, message)] == ["recorder"]
    for service in ("api", "capture"):
        assert not [name for name in sorted(KNOWN) for message in of_recorder(service) if may_say(name, message)]


def test_a_capture_speaks_for_its_own_cameras_alone() -> None:
    assert may_say("door", log_of("capture", "door"))
    assert may_say("door", log_of("capture", "door-2", camera_id="door-2"))
    assert may_say("door", status_of("door-2", "door-2"))
    assert may_say("capture", status_of("yard", "yard"))
    assert not may_say("door", log_of("capture", "door-1"))
    assert not may_say("door", log_of("capture", "door", camera_id="press"))
    assert not may_say("door", log_of("capture", "door", event_id="e"))
    assert not may_say("door", status_of("press", "door"))
    assert not may_say("door", status_of("door", "press"))
    assert not may_say("capture", log_of("capture", "press"))
    assert not may_say("capture", log_of("capture", "the recorder's host"))
    for service in ("recorder", "api"):
        assert not may_say(service, status_of(service, service, service)), "a service reports no camera's source"
        assert not may_say(service, status_of(service, service))

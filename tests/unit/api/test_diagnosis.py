"""What the doctor says: one sentence of what is, one of what to do."""

from typing import Any

import pytest

from preroll import wire
from services.api.diagnosis import Facts, Finding, State, Subject, diagnose, worst
from services.api.examples import RESPONSES
from tests.support.recorder import camera_of

S = 1_000_000_000
NOW = wire.InstantRecord(boot_id="b", monotonic_ns=1_000 * S, unix_ns=1_800_000_000 * S)
HEALTH = wire.RecorderHealth.model_validate(RESPONSES["GET /status", "200"]["recorder"]).model_copy(
    update={"now": NOW, "memory_limit_bytes": 2_147_483_648, "min_free_bytes": 1_000_000_000}
)
CAMERA = camera_of("cam1").model_copy(update={"ring_s": 30.0, "ring_bytes": 30_000_000, "frames": 10_000})
WELL: dict[str, Any] = {
    "now": NOW,
    "recorder": HEALTH,
    "cameras": (CAMERA,),
    "descriptors_limit": 65_536,
    "descriptors_in_use": 40,
    "has_key": True,
}


def findings(**changes: Any) -> dict[Subject, Finding]:
    return {found.subject: found for found in diagnose(Facts(**{**WELL, **changes}))}


def health(**changes: Any) -> wire.RecorderHealth:
    return HEALTH.model_copy(update=changes)


def disk(**changes: Any) -> wire.Disk:
    return HEALTH.disk.model_copy(update=changes)


def instant(**changes: int | str) -> wire.InstantRecord:
    return NOW.model_copy(update=changes)


def camera(**changes: Any) -> tuple[wire.Camera, ...]:
    return (CAMERA.model_copy(update=changes),)


RETENTION = wire.Retention(running_s=1.0, held_s=0.0, wall_steps=0, last_step_s=None, overdue_events=0)


def retention(**changes: Any) -> wire.RecorderHealth:
    return health(retention=RETENTION.model_copy(update=changes))


def test_of_a_system_that_is_well_all_is_said_and_nothing_advised() -> None:
    found = findings()
    assert set(found) == {
        "trigger",
        "clock",
        "disk",
        "descriptors",
        "memory",
        "cameras",
        "keys",
        "events",
        "encoding",
    }
    assert [finding for finding in found.values() if finding.state != "ok" or finding.advice is not None] == []


@pytest.mark.parametrize(
    ("subject", "state", "said", "changes"),
    [
        ("trigger", "problem", "not be recorded: no camera is live", {"missing": ["no camera is live"]}),
        ("clock", "problem", "3 minutes after 1970", {"now": instant(unix_ns=200 * S)}),
        (
            "clock",
            "warning",
            "90 s ahead from the API's",
            {"recorder": health(now=instant(unix_ns=NOW.unix_ns + 90 * S))},
        ),
        (
            "clock",
            "warning",
            "2 hours behind from the API's",
            {"recorder": health(now=instant(boot_id="other", monotonic_ns=5, unix_ns=NOW.unix_ns - 7_300 * S))},
        ),
        ("clock", "warning", "set once while", {"recorder": retention(wall_steps=1, last_step_s=3600.0)}),
        ("disk", "problem", "read-only", {"recorder": health(disk=disk(error="the clips' disk is read-only"))}),
        ("disk", "problem", "900 MB are free", {"recorder": health(disk=disk(is_full=True, free_bytes=900_000_000))}),
        ("disk", "problem", "7 more files", {"recorder": health(disk=disk(is_full=True, files_free=7))}),
        (
            "disk",
            "warning",
            "full in 2 days",
            {
                "recorder": health(
                    disk=disk(clips_bytes=10_000_000_000, free_bytes=21_000_000_000),
                    oldest_event_unix_ns=NOW.unix_ns - 86_400 * S,
                    newest_event_unix_ns=NOW.unix_ns,
                )
            },
        ),
        ("descriptors", "problem", "65500 of 65536", {"descriptors_in_use": 65_500}),
        ("descriptors", "warning", "only 1024", {"recorder": health(descriptors_limit=1_024, descriptors_in_use=40)}),
        ("memory", "problem", "need 1.5 GB", {"cameras": camera(ring_bytes=9_000_000_000)}),
        ("memory", "warning", "all of the recorder 1.07 GB", {"recorder": health(memory_limit_bytes=1 << 30)}),
        ("cameras", "problem", "no camera", {"cameras": ()}),
        ("cameras", "problem", "no pictures come from 1 of 1: cam1", {"cameras": camera(state="lost")}),
        ("cameras", "warning", "not in memory yet: cam1", {"cameras": camera(ring_s=2.0)}),
        ("cameras", "warning", "two captures", {"cameras": camera(losses=wire.Losses(refused_second_run=1))}),
        ("cameras", "warning", "cam1 (50 on the wire)", {"cameras": camera(losses=wire.Losses(lost_on_wire=50))}),
        ("keys", "problem", "can use", {"exposed_files": ["/keys/api/client.secret can be read by everybody"]}),
        ("keys", "warning", "everybody", {"is_anybodys": True, "has_key": False}),
        ("events", "warning", "by the calendar and still there: 3", {"recorder": retention(overdue_events=3)}),
        (
            "cameras",
            "warning",
            "does not speak for their camera: cam1",
            {"cameras": camera(losses=wire.Losses(refused_foreign_key=1))},
        ),
        (
            "encoding",
            "warning",
            "that could not be encoded: 2",
            {"recorder": health(clips_without_rendition=2, encodes_failed=6)},
        ),
        ("encoding", "warning", "wait for their encoder: 50", {"recorder": health(encodes_waiting=50)}),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    subject: Subject, state: State, said: str, changes: dict[str, Any]
) -> None:
    found = findings(**changes)[subject]
    assert found.state == state
    assert said in found.said
    assert found.advice


def test_a_loss_now_and_then_is_no_finding() -> None:
    assert findings(cameras=camera(losses=wire.Losses(lost_on_wire=3)))["cameras"].state == "ok"


def test_on_one_boot_clocks_are_compared_at_one_moment() -> None:
    """The recorder was asked a minute ago: nothing is wrong with its clock."""
    before = instant(unix_ns=NOW.unix_ns - 60 * S, monotonic_ns=NOW.monotonic_ns - 60 * S)
    assert findings(recorder=health(now=before))["clock"].state == "ok"


def test_while_the_recorder_is_away_that_is_said_and_nothing_is_guessed() -> None:
    found = findings(recorder=None, cameras=(), missing=["the recorder did not answer within 2 s"])
    assert set(found) == {"trigger", "clock", "descriptors", "keys"}
    assert worst(list(found.values())) == "problem"


def test_a_recorder_of_before_tells_less_and_nothing_is_guessed() -> None:
    old = health(now=None, memory_limit_bytes=None, min_free_bytes=None, retention=None, descriptors_limit=None)
    assert worst(list(findings(recorder=old, descriptors_limit=None).values())) == "ok"


@pytest.mark.parametrize(
    ("states", "state"), [([], "ok"), (["ok", "warning"], "warning"), (["problem", "warning", "ok"], "problem")]
)
def test_the_whole_is_as_bad_as_its_worst_part(states: list[State], state: State) -> None:
    assert worst([Finding("disk", each, "so") for each in states]) == state

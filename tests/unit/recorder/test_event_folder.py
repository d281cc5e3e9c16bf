"""What the files of an event's folder tell of it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from preroll import wire
from services.recorder.clips import sidecar
from services.recorder.clips.result import document_of
from services.recorder.recovery.event_folder import event_in
from tests.support.clips import Take
from tests.support.event_records import event
from tests.support.frames import frames
from tests.unit.recorder.test_sidecar import FACTS, TAKE


def write(path: Path, data: bytes, written_at_s: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (written_at_s, written_at_s))


def saved_sidecar(at: wire.Event) -> bytes:
    clip = at.clips[0].model_copy(update={"state": "saved"})
    return sidecar.to_bytes(document_of(FACTS, at, clip))


def folder_of(root: Path) -> Path:
    return root / TAKE.plan.folder


def test_clips_are_as_their_sidecars_have_them(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    write(folder / "event.json", TAKE.event.model_dump_json().encode(), 1)
    write(folder / "cam1.json", saved_sidecar(TAKE.event), 2)
    found = event_in(folder)
    assert found is not None
    assert (found.state, found.clips[0].state) == ("saved", "saved")
    fact = found.clips[0].files["sidecar"]
    assert fact.path == f"{TAKE.plan.folder}/cam1.json"
    assert fact.size_bytes == (folder / "cam1.json").stat().st_size


def revised(event: wire.Event, revision: int, **facts: object) -> wire.Event:
    return event.model_copy(update={**facts, "revision": revision})


@pytest.mark.parametrize(("record_at_s", "sidecar_at_s"), [(1, 2), (2, 1)])
def test_events_own_facts_are_those_of_its_record_whatever_the_files_times_say(
    tmp_path: Path, record_at_s: int, sidecar_at_s: int
) -> None:
    folder = folder_of(tmp_path)
    protected = TAKE.event.model_copy(update={"is_protected": True, "labels": {"line": "5"}})
    write(folder / "event.json", protected.model_dump_json().encode(), record_at_s)
    write(folder / "cam1.json", saved_sidecar(TAKE.event), sidecar_at_s)
    found = event_in(folder)
    assert found is not None
    assert (found.is_protected, found.labels) == (True, {"line": "5"})


@pytest.mark.parametrize(("record_at_s", "sidecar_at_s"), [(1, 2), (2, 1)])
def test_copy_of_a_higher_revision_is_newer_whatever_the_files_times_say(
    tmp_path: Path, record_at_s: int, sidecar_at_s: int
) -> None:
    folder = folder_of(tmp_path)
    write(folder / "event.json", revised(TAKE.event, 1).model_dump_json().encode(), record_at_s)
    write(folder / "cam1.json", saved_sidecar(revised(TAKE.event, 2, post_s=3.0, is_protected=True)), sidecar_at_s)
    found = event_in(folder)
    assert found is not None
    assert (found.post_s, found.is_protected, found.revision) == (3.0, True, 2)


def test_window_amended_before_there_were_revisions_is_that_of_the_sidecars(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    write(folder / "event.json", TAKE.event.model_dump_json().encode(), 2)
    write(folder / "cam1.json", saved_sidecar(TAKE.event.model_copy(update={"post_s": 3.0})), 1)
    found = event_in(folder)
    assert found is not None
    assert found.post_s == 3.0


def test_a_sidecar_alone_tells_of_its_event(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    write(folder / "event.json", b"{", 1)
    write(folder / "cam1.json", saved_sidecar(TAKE.event), 1)
    found = event_in(folder)
    assert found is not None
    assert found.event_id == "ev1"


def test_damaged_sidecar_leaves_the_clip_as_the_event_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "2027-01-15" / "ev1"
    write(folder / "event.json", event("ev1", state="recording").model_dump_json().encode(), 1)
    write(folder / "cam1.json", b"\0" * 100, 2)
    assert event_in(folder) == event("ev1", state="recording")


def test_folder_without_a_record_is_no_event(tmp_path: Path) -> None:
    assert event_in(tmp_path) is None


@pytest.mark.parametrize("name", ["event.sidecar.json", "event.json"])
def test_sidecar_of_a_camera_named_event_is_read(tmp_path: Path, name: str) -> None:
    take = Take.of(frames(10), camera_id="event")
    folder = tmp_path / take.plan.folder
    clip = take.event.clips[0].model_copy(update={"state": "saved"})
    write(folder / "event.json", take.event.model_dump_json().encode(), 1)
    write(folder / name, sidecar.to_bytes(document_of(replace(FACTS, plan=take.plan), take.event, clip)), 2)
    found = event_in(folder)
    assert found is not None
    assert (found.event_id, found.clips[0].state) == ("ev1", "saved")
    assert found.clips[0].files["sidecar"].path == f"{take.plan.folder}/{name}"


def sidecar_of(camera_id: str, at: wire.Event = TAKE.event) -> bytes:
    clip = TAKE.event.clips[0].model_copy(update={"camera_id": camera_id, "state": "saved"})
    return sidecar.to_bytes(document_of(FACTS, at.model_copy(update={"clips": (clip,)}), clip))


@pytest.mark.parametrize("clips", [(), TAKE.event.clips], ids=["no clip", "one clip"])
def test_clips_that_the_record_lacks_are_those_of_the_sidecars(tmp_path: Path, clips: tuple[wire.Clip, ...]) -> None:
    folder = folder_of(tmp_path)
    record = TAKE.event.model_copy(update={"clips": clips, "state": "failed"})
    write(folder / "event.json", record.model_dump_json().encode(), 1)
    for camera_id in ("cam1", "cam2"):
        write(folder / f"{camera_id}.json", sidecar_of(camera_id), 1)
    found = event_in(folder)
    assert found is not None
    assert [(clip.camera_id, clip.state) for clip in found.clips] == [("cam1", "saved"), ("cam2", "saved")]
    assert found.state == "saved"
    assert [clip.files["sidecar"].path for clip in found.clips] == [
        f"{TAKE.plan.folder}/cam1.json",
        f"{TAKE.plan.folder}/cam2.json",
    ]


@pytest.mark.parametrize("has_record", [True, False])
def test_a_clip_of_another_event_or_under_another_cameras_name_is_not_added(
    tmp_path: Path, *, has_record: bool
) -> None:
    folder = folder_of(tmp_path)
    if has_record:
        write(folder / "event.json", TAKE.event.model_dump_json().encode(), 1)
    write(folder / "cam1.json", sidecar_of("cam1"), 1)
    write(folder / "cam2.json", sidecar_of("cam2", revised(TAKE.event, 1, event_id="other")), 1)
    write(folder / "cam3.json", sidecar_of("cam4"), 1)
    found = event_in(folder)
    assert found is not None
    assert found.event_id == TAKE.event.event_id
    assert [clip.camera_id for clip in found.clips] == ["cam1"]

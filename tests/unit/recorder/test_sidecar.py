"""The sidecar's bytes: what goes in comes out, and anything else is damaged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recorder.cameras.gaps import Hole
from services.recorder.clips import sidecar
from services.recorder.clips.journal import FrameName
from services.recorder.clips.result import ClipFacts, document_of
from services.recorder.clips.sidecar import Sidecar
from tests.support.clips import BOOT_ID, PERIOD_NS, Take
from tests.support.frames import frames

TAKE = Take.of(frames(12))
FACTS = ClipFacts(
    plan=TAKE.plan,
    window=TAKE.plan.window,
    period_ns=PERIOD_NS,
    frames=tuple(FrameName(frame.run_id, frame.seq, frame.t_ns) for frame in TAKE.frames),
    holes=(Hole("lost_on_wire", 1, 2, "run-a", 3, 4),),
    reason=None,
    boot_id=BOOT_ID,
)


def document() -> Sidecar:
    return document_of(FACTS, TAKE.event, TAKE.event.clips[0])


def test_sidecar_comes_back_as_it_was_written() -> None:
    assert sidecar.parse(sidecar.to_bytes(document())) == document()


def test_sidecar_is_json_with_the_stated_keys() -> None:
    stated = json.loads(sidecar.to_bytes(document()))
    assert stated["v"] == 1
    assert stated["frames"][:2] == [[0, 0, 0], [0, 1, 33333]]
    assert stated["trigger_frame"] == 6
    assert stated["first_frame_at"] == "2027-01-15T08:00:01.000000Z"
    assert stated["clock"] == {"boot_id": BOOT_ID, "unix_offset_ns": TAKE.plan.unix_offset_ns, "wall_stepped_s": None}
    assert stated["latency"]["accepted_after_s"] == 0.002
    assert stated["event"]["labels"] == {"line": "4"}


def test_unknown_keys_are_ignored() -> None:
    stated = json.loads(sidecar.to_bytes(document()))
    stated["new_in_a_later_version"] = True
    assert sidecar.parse(json.dumps(stated).encode()) == document()


@given(st.binary(max_size=300))
def test_any_other_bytes_are_damaged(data: bytes) -> None:
    with pytest.raises(sidecar.SidecarDamaged):
        sidecar.parse(data)


def test_damage_names_the_field() -> None:
    stated = json.loads(sidecar.to_bytes(document()))
    stated["clip"]["requested"]["from_unix_ns"] = "yesterday"
    with pytest.raises(sidecar.SidecarDamaged, match=r"^clip\.requested\.from_unix_ns: "):
        sidecar.parse(json.dumps(stated).encode())


def test_restated_sidecar_has_the_new_clip_and_the_old_frames() -> None:
    ready = TAKE.event.clips[0].model_copy(update={"state": "ready", "saved_after_s": 0.02, "ready_after_s": 3.5})
    stated = sidecar.restated(document(), TAKE.event, ready, {"name": "libx264", "frames": 12})
    assert stated.clip == ready
    assert stated.event.clips == (ready,)
    assert stated.latency.ready_after_s == 3.5
    assert stated.encoder == {"name": "libx264", "frames": 12}
    assert stated.frames == document().frames
    again = sidecar.restated(stated, TAKE.event, ready)
    assert again.encoder == stated.encoder


def test_times_before_1970_and_fractions_are_written_right() -> None:
    assert sidecar.rfc3339(-1) == "1969-12-31T23:59:59.999999Z"
    assert sidecar.rfc3339(1_000_000_000_123_456_789) == "2001-09-09T01:46:40.123456Z"

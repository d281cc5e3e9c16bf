"""The life of a clip: what may follow what, and that no record says more than is so, whoever wrote it."""

import ast
import base64
import json
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from preroll import wire
from preroll.clock import NS_PER_S
from services.recorder.clips import sidecar
from services.recorder.events import clip_life
from services.recorder.events.clip_life import OutOfTurn

RECORDER = Path(__file__).parents[3] / "services/recorder"
GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden/records-before-slack.json").read_text())
SPAN = wire.Span(from_unix_ns=0, to_unix_ns=10 * NS_PER_S)
WHOLE = wire.Delivered(from_unix_ns=0, to_unix_ns=10 * NS_PER_S, frames=300, lost=0)
SHORT = wire.Delivered(from_unix_ns=0, to_unix_ns=3 * NS_PER_S, frames=90, lost=0)
SLACK_NS = 50_000_000


def recording() -> wire.Clip:
    return clip_life.accepted("cam1", "recording", SPAN, "full", 0.0)


def saved(delivered: wire.Delivered = WHOLE, *, complete: bool = True) -> wire.Clip:
    return clip_life.saved(
        recording(),
        requested=SPAN,
        delivered=delivered,
        complete=complete,
        slack_ns=SLACK_NS,
        shortfall=() if complete else ("ends 7.000 s early",),
        files={},
        saved_after_s=0.02,
    )


def event(*clips: wire.Clip) -> wire.Event:
    return wire.Event(
        event_id="ev1",
        state="recording",
        triggered_unix_ns=NS_PER_S,
        received_unix_ns=NS_PER_S,
        pre_s=1.0,
        post_s=9.0,
        labels={},
        is_protected=False,
        fingerprint="f",
        accepted_after_s=0.0,
        clips=clips,
    )


# --- complete


def test_clip_cannot_be_built_complete_without_what_was_requested() -> None:
    with pytest.raises(ValidationError, match=r"complete, but the clip of cam1 ends 7\.000 s early"):
        saved(SHORT)
    assert saved(SHORT, complete=False).complete is False


@given(
    late_ns=st.integers(-NS_PER_S, NS_PER_S),
    early_ns=st.integers(-NS_PER_S, NS_PER_S),
    slack_ns=st.integers(0, NS_PER_S),
)
def test_a_complete_clip_covers_its_window_to_within_its_slack(late_ns: int, early_ns: int, slack_ns: int) -> None:
    record = {
        **dict(recording()),
        "complete": True,
        "slack_ns": slack_ns,
        "delivered": wire.Delivered(
            from_unix_ns=SPAN.from_unix_ns + late_ns, to_unix_ns=SPAN.to_unix_ns - early_ns, frames=300, lost=0
        ),
    }
    if late_ns <= slack_ns and early_ns <= slack_ns:
        assert wire.Clip.model_validate(record).complete is True
    else:
        with pytest.raises(ValidationError, match="complete, but"):
            wire.Clip.model_validate(record)


def test_complete_without_a_frame_or_a_slack_is_refused() -> None:
    for changes, words in (({"slack_ns": 0}, "has no frame"), ({"slack_ns": None, "delivered": WHOLE}, "which slack")):
        with pytest.raises(ValidationError, match=words):
            wire.Clip.model_validate({**dict(recording()), "complete": True, **changes})


# --- records of before


@pytest.mark.parametrize(
    ("name", "complete", "shortfall"),
    [
        ("whole", True, ()),
        ("slow-camera", True, ()),
        ("one-frame", True, ()),
        ("ends-early", False, ("ends 18.020 s early, though recorded as complete",)),
        ("begins-late", False, ("begins 9.010 s late, though recorded as complete",)),
        ("nothing", False, ("has no frame, though recorded as complete",)),
        ("incomplete", False, ("ends 18.020 s early",)),
        ("recording", None, ()),
        ("scheduled", None, ()),
        ("failed", False, ("no frame of the window could be had",)),
    ],
)
def test_record_of_before_is_read_and_made_honest(name: str, complete: bool | None, shortfall: tuple[str, ...]) -> None:
    row = msgpack.unpackb(base64.b64decode(GOLDEN["rows"][name]), use_list=False)
    of_row = wire.Event.model_validate(row)
    of_file = wire.Event.model_validate_json(json.dumps(GOLDEN["events"][name]))
    assert of_row == of_file
    (clip,) = of_row.clips
    assert (clip.complete, clip.shortfall) == (complete, shortfall)
    again = wire.Event.model_validate(msgpack.unpackb(msgpack.packb(of_row.model_dump()), use_list=False))
    assert again == of_row


def test_sidecar_of_before_is_read_and_made_honest() -> None:
    whole = sidecar.parse(GOLDEN["sidecars"]["whole"].encode())
    assert (whole.clip.complete, whole.clip.shortfall) == (True, ())
    early = sidecar.parse(GOLDEN["sidecars"]["ends-early"].encode())
    assert early.clip.complete is False
    assert early.clip.shortfall == ("ends 18.000 s early, though recorded as complete",)
    assert early.event.clips == (early.clip,)


# --- what may follow what


def test_clip_goes_from_recording_over_saved_to_ready() -> None:
    clip = clip_life.ready(saved(), {}, 1.5, undecodable=0, pictures=300)
    assert (clip.state, clip.complete, clip.ready_after_s, clip.slack_ns) == ("ready", True, 1.5, SLACK_NS)


def test_no_state_is_taken_twice_or_left_out() -> None:
    scheduled = clip_life.accepted("cam1", "scheduled", SPAN, "full", 0.0)
    ready = clip_life.ready(saved(), {}, 1.5, undecodable=0, pictures=300)
    failed = clip_life.failed(recording(), SPAN, ("the disk failed",), {})
    with pytest.raises(OutOfTurn, match="cam1 is recording and cannot become ready"):
        clip_life.ready(recording(), {}, 0, undecodable=0, pictures=0)
    for clip in (saved(), ready, failed):
        with pytest.raises(OutOfTurn):
            clip_life.failed(clip, SPAN, (), {})
        with pytest.raises(OutOfTurn):
            clip_life.begun(event(clip))
        with pytest.raises(OutOfTurn):
            clip_life.amended(event(clip), 9.0, SPAN, frozenset({"cam1"}))
    for clip in (scheduled, recording(), ready, failed):
        with pytest.raises(OutOfTurn):
            clip_life.not_rendered(clip, "no encoder")
    for clip in (ready, failed):
        with pytest.raises(OutOfTurn):
            clip_life.as_stated(clip, saved())
    with pytest.raises(OutOfTurn):
        clip_life.accepted("cam1", "saved", SPAN, "full", 0.0)


def test_clip_without_a_rendition_stays_saved_and_complete_and_says_so_once() -> None:
    clip = clip_life.not_rendered(clip_life.not_rendered(saved(), "the encoder failed"), "the disk is full")
    assert (clip.state, clip.complete, clip.shortfall) == ("saved", True, ("no rendition: the disk is full",))
    assert clip_life.ready(clip, {}, 1.5, undecodable=0, pictures=300).shortfall == ()


def test_clip_whose_pictures_cannot_be_decoded_is_not_complete() -> None:
    assert clip_life.not_decodable(saved(), "none can be decoded").complete is False
    clip = clip_life.ready(saved(), {}, 1.5, undecodable=2, pictures=300)
    assert (clip.complete, clip.shortfall) == (False, ("2 of 300 pictures cannot be decoded",))


def test_amending_moves_the_windows_of_the_named_clips_alone() -> None:
    done, running = saved(), clip_life.accepted("cam2", "recording", SPAN, "full", 0.0)
    longer = wire.Span(from_unix_ns=0, to_unix_ns=20 * NS_PER_S)
    amended = clip_life.amended(event(done, running), 19.0, longer, frozenset({"cam2"}))
    assert amended.clips[0] == done
    assert (amended.clips[1].requested, amended.post_s, amended.revision) == (longer, 19.0, 1)


def test_event_takes_the_state_of_its_least_advanced_clip() -> None:
    begun = event(recording(), clip_life.accepted("cam2", "recording", SPAN, "full", 0.0))
    assert clip_life.with_clips(begun, saved()).state == "recording"
    failed = clip_life.failed(begun.clips[1], SPAN, (), {})
    assert clip_life.with_clips(begun, saved(), failed).state == "saved"


# --- nobody else changes a record


def test_records_of_clips_and_events_are_changed_here_alone() -> None:
    found = [
        f"{path.relative_to(RECORDER)}:{node.lineno} {node.attr}"
        for path in sorted(RECORDER.rglob("*.py"))
        if path.name != "clip_life.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"model_copy", "model_construct", "__dict__"}
    ]
    assert found == [], "build the record by a function of events/clip_life.py: a copy is not judged"

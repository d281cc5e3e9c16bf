"""Headers that are valid and yet say what no camera does: they cost their own camera at most, and break nothing."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preroll import wire
from preroll.clock import NS_PER_S
from services.recorder.answers.queries import Queries
from services.recorder.answers.status import Status
from services.recorder.cameras.table import Cameras
from services.recorder.cameras.track import CameraTrack
from services.recorder.clips import sidecar
from services.recorder.clips.journal import FrameName
from services.recorder.clips.result import ClipFacts, Written, clip_of, document_of
from services.recorder.events.acceptance import Acceptance
from services.recorder.events.rules import CommandRejected, Limits
from tests.support.clocks import HandClock

BOOT = "boot"
JPEG = b"\xff\xd8" + bytes(100) + b"\xff\xd9"
PERIOD_NS = NS_PER_S // 30
MAX = wire.INT63_MAX
FIGURES: dict[str, Any] = {
    "run_id": "run",
    "events_active": 0,
    "events_total": 0,
    "clips_recording": 0,
    "encodes_waiting": 0,
    "encodes_running": 0,
    "encoder": "none",
    "disk": wire.Disk(total_bytes=1, free_bytes=1, clips_bytes=0, is_full=False),
    "malformed_messages": 0,
    "commands": 0,
    "commands_refused": 0,
    "bus_dropped": 0,
}


@dataclass(frozen=True)
class Odd:
    """A frame: what its header says, and how long after the one before it is received."""

    seq: int
    rejected: int = 0
    captured_ns: int | None = None  # None: when it is received
    run_id: str = "run"
    boot_id: str = BOOT
    side_px: tuple[int, int] = (64, 36)
    after_ns: int = PERIOD_NS


class Bench:
    """One camera, and all that is said of it."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.cameras = Cameras(30, 10**6, 10**6, 4, BOOT)
        track = self.cameras.remember("cam", self.clock.monotonic_ns())
        assert track is not None
        self.track: CameraTrack = track
        self.status = Status(self.cameras, self.clock, 5, 30, lambda: FIGURES)
        limits = Limits(5, 10, 60, 60, 100, "separate")
        self.acceptance = Acceptance(self.cameras, limits, BOOT)
        self.queries = Queries(self.cameras, None, None, self.status, self.clock, BOOT)  # type: ignore[arg-type]

    def take(self, *frames: Odd) -> list[bool]:
        """Whether each frame was taken."""
        return [self._take(frame) for frame in frames]

    def _take(self, odd: Odd) -> bool:
        self.clock.advance(odd.after_ns / NS_PER_S)
        now_ns = self.clock.monotonic_ns()
        header = wire.FrameHeader(
            "cam",
            odd.boot_id,
            odd.run_id,
            odd.seq,
            odd.rejected,
            now_ns if odd.captured_ns is None else odd.captured_ns,
            MAX,
            "jpeg",
            True,
            *odd.side_px,
        )
        try:
            taken = self.cameras.take(self.track, wire.decode_header(wire.encode_header(header)), JPEG, now_ns)
        except wire.WireError:  # what ingest counts as malformed
            with self.cameras.lock:
                self.track.reject()
            return False
        self.cameras.expire(now_ns)
        return taken

    def losses(self) -> dict[str, int]:
        return {name: count for name, count in self.track.losses().model_dump().items() if count}

    def check_answers(self) -> None:
        """Every message that tells of the camera is one."""
        stamp = {"service": "recorder", "instance": "i", "sender_id": "s", "number": 0, "unix_ns": 1}
        cameras = self.status.cameras()
        assert len(cameras) == 1
        told = {**stamp, "cameras": cameras, "health": self.status.health()}
        wire.decode_bus(wire.encode(wire.RecorderStatus.model_validate(told)))
        wire.decode_reply(wire.encode(self.queries.answer(wire.ListCameras())))
        newest = self.track.ring.newest
        assert newest is not None
        ref = wire.FrameRef(camera_id="cam", run_id=newest.run_id, seq=newest.seq)
        at = self.instant()
        for query in (
            wire.GetFrame(camera_id="cam"),
            wire.GetFrame(camera_id="cam", ref=ref, steps=-3),
            wire.GetFrame(camera_id="cam", at=at, offset_ns=-NS_PER_S),
        ):
            try:
                wire.decode_reply(wire.encode(self.queries.answer(wire.decode_query(wire.encode(query)))))
            except CommandRejected as err:
                wire.decode_reply(wire.encode(err.refusal))

    def instant(self) -> wire.InstantRecord:
        return wire.InstantRecord(boot_id=BOOT, monotonic_ns=self.clock.monotonic_ns(), unix_ns=self.clock.unix_ns())

    def begin_clip(self, event_id: str = "event") -> Any:
        command = wire.StartEvent(event_id=event_id, fingerprint="f", received=self.instant(), age_ns=0)
        now_ns = self.clock.monotonic_ns()
        opened = self.acceptance.begin(command, self.acceptance.plan(command, now_ns), now_ns, 0)
        wire.decode_reply(wire.encode(wire.EventReply(event=opened.event)))
        return opened

    def end_clip(self, opened: Any) -> sidecar.Sidecar:
        """The clip's sidecar, from what its writer is given."""
        (recording,) = opened.recordings.values()
        recording.end("over")
        names: list[FrameName] = []
        while not recording.is_drained:
            names += [FrameName(frame.run_id, frame.seq, frame.t_ns) for frame in recording.take(0)]
        plan = recording.plan
        facts = ClipFacts(plan, recording.window, recording.period_ns, tuple(names), recording.holes(), None, BOOT)
        clip = clip_of(opened.event, "cam")
        if names:
            written = Written(
                plan.event_id,
                "cam",
                names[0].t_ns,
                names[-1].t_ns,
                len(names),
                recording.window,
                plan.unix_offset_ns,
                facts.verdict(),
                {},
                self.clock.monotonic_ns(),
            )
            clip = written.applied_to(clip)
        document = sidecar.parse(sidecar.to_bytes(document_of(facts, opened.event, clip)))
        wire.decode_reply(wire.encode(wire.EventReply(event=document.event)))
        return document


EXTREMES = [0, 1, 2, 5, 30, 2**31, 2**32, 2**53, 2**62, MAX - 1, MAX]
NUMBERS = st.sampled_from(EXTREMES) | st.integers(0, MAX)
ODD = st.builds(
    Odd,
    seq=NUMBERS | st.integers(0, 40),
    rejected=NUMBERS,
    captured_ns=st.none() | NUMBERS,
    run_id=st.sampled_from(["run", "other", "a/b", "\U0001f600" * 64, "..", "a b", "a\x00b", "x\r\nY: z"]),
    boot_id=st.sampled_from([BOOT, "elsewhere", "\U0001f600"]),
    side_px=st.tuples(st.sampled_from([0, 1, 64, 65_535]), st.sampled_from([0, 1, 36, 65_535])),
    after_ns=st.sampled_from([0, 1, PERIOD_NS, 3 * NS_PER_S, 3600 * NS_PER_S]),
)


@settings(max_examples=150, deadline=None)
@given(before=st.lists(ODD, max_size=12), within=st.lists(ODD, max_size=12))
def test_whatever_headers_say_the_camera_can_be_told_of_and_recorded(before: list[Odd], within: list[Odd]) -> None:
    bench = Bench()
    bench.take(Odd(0), *before)
    bench.check_answers()
    opened = bench.begin_clip()
    bench.take(*within)
    bench.check_answers()
    bench.end_clip(opened)


def test_four_frames_with_extreme_numbers_are_no_loss_of_frames() -> None:
    bench = Bench()
    opened = bench.begin_clip()
    taken = bench.take(Odd(0), Odd(1), Odd(MAX), Odd(2), Odd(MAX, MAX), Odd(3), Odd(4))
    assert taken == [True, True, False, True, False, True, True]
    bench.check_answers()
    assert bench.losses() == {"out_of_order": 2}
    assert bench.end_clip(opened).clip.delivered is not None


def test_a_frame_whose_number_is_odd_is_stated_as_rejected() -> None:
    bench = Bench()
    opened = bench.begin_clip()
    bench.take(Odd(0), Odd(1), Odd(MAX), Odd(3))
    document = bench.end_clip(opened)
    assert [(hole.cause, hole.first_seq, hole.missing) for hole in document.holes] == [("rejected_by_recorder", 2, 1)]


@pytest.mark.parametrize("anew", [5_000_000, 2**62, 0])
def test_numbers_that_begin_anew_cost_a_frame_and_are_stated_without_a_count(anew: int) -> None:
    bench = Bench()
    opened = bench.begin_clip()
    taken = bench.take(*(Odd(seq) for seq in range(10, 20)), *(Odd(anew + seq) for seq in range(5)))
    assert taken == [True] * 10 + [False] + [True] * 4
    bench.check_answers()
    assert bench.losses() == {"out_of_order": 1, "restarts": 1}
    document = bench.end_clip(opened)
    assert [(hole.cause, hole.missing) for hole in document.holes] == [("renumbered", None)]
    assert "the frames' numbers began anew, 0.067 s without a frame, count unknown" in document.clip.shortfall


def test_what_was_lost_in_a_dark_minute_is_still_counted() -> None:
    bench = Bench()
    bench.take(Odd(0), Odd(1801, after_ns=60 * NS_PER_S))
    assert bench.losses() == {"lost_on_wire": 1800}


def test_counts_of_rejected_frames_are_believed_as_far_as_numbers_are_missing() -> None:
    bench = Bench()
    bench.take(Odd(0), Odd(3, rejected=MAX), Odd(4, rejected=0), Odd(7, rejected=MAX))
    assert bench.losses() == {"rejected_by_capture": 4}


def test_one_odd_time_of_another_host_costs_the_camera_seconds_at_most() -> None:
    bench = Bench()
    clock = iter(range(10**9, 10**12, PERIOD_NS))
    bench.take(*(Odd(seq, captured_ns=next(clock), boot_id="elsewhere") for seq in range(30)))
    bench.take(Odd(30, captured_ns=MAX, boot_id="elsewhere"))
    taken = bench.take(*(Odd(seq, captured_ns=next(clock), boot_id="elsewhere") for seq in range(31, 121)))
    assert sum(not was_taken for was_taken in taken) <= 2 * 30 + 2
    assert taken[-10:] == [True] * 10


@pytest.mark.parametrize("run_id", ["a/b", "..", "a b", "a\nb", "a\n", "\x00", "ä", "\U0001f600" * 64, "-", ".hidden"])
def test_a_run_whose_name_could_break_an_address_is_refused(run_id: str) -> None:
    bench = Bench()
    assert bench.take(Odd(0), Odd(0, run_id=run_id, after_ns=3 * NS_PER_S)) == [True, False]
    assert bench.losses() == {"rejected_by_recorder": 1}
    assert bench.track.run_id == "run"


def test_a_camera_that_cannot_be_described_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    assert bench.cameras.remember("other", 0) is not None
    bench.take(Odd(0))
    monkeypatch.setattr(bench.track, "evicted_early", MAX + 1)
    assert [camera.camera_id for camera in bench.status.cameras()] == ["other"]

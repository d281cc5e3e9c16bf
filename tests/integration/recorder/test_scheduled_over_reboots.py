"""A scheduled event comes to its end whatever the machine's clocks say after a reboot."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from preroll import wire
from preroll.bus import BusSender
from preroll.clock import NS_PER_S
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.cameras.recording import Recording
from services.recorder.cameras.table import Cameras
from services.recorder.events import clip_life
from services.recorder.events.events import Events
from services.recorder.events.open_event import OpenEvent
from services.recorder.events.rules import CommandRejected, Limits
from services.recorder.store import running_notes
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index
from tests.support.clocks import HandClock
from tests.support.waiting import wait_until

AHEAD_S = 30.0
DAY_S = 86_400
TO_1970_S = -1_800_000_000


class Writers:
    """The stage after the ring: keeps what it is to write."""

    def __init__(self) -> None:
        self.written: list[Recording] = []
        self.error: Exception | None = None

    def write(self, _opened: OpenEvent, recording: Recording) -> None:
        if self.error is not None:
            raise self.error
        self.written.append(recording)

    def needs(self, event_id: str) -> bool:
        return False


class Life:
    """The events of one life of a recorder, on one boot."""

    def __init__(
        self,
        root: Path,
        context: "zmq.Context[zmq.Socket[bytes]]",
        clock: HandClock,
        boot_id: str,
        max_active_events: int = 1,
        max_cameras: int = 4,
    ) -> None:
        self.root, self.context, self.clock, self.boot_id = root, context, clock, boot_id
        self.clips = ClipsDir(root)
        self.index = Index.open(root / "index.sqlite")
        self.running = running_notes.go_on(self.clips, self.index, clock, boot_id)
        self.cameras = Cameras(10, 100_000_000, 10_000_000, max_cameras, boot_id)
        for camera_id in ("cam1", "cam2")[:max_cameras]:
            self.cameras.remember(camera_id, clock.monotonic_ns())
        bus = BusSender(context, "inproc://nobody", "recorder", "here", clock)
        limits = Limits(5, 10, 60, 60, max_active_events, "separate")
        self.events = Events(
            self.cameras, self.index, self.clips, limits, bus, clock, boot_id, self.running, Threads(Shutdown())
        )
        self.stage = Writers()
        self.events.stage = self.stage
        for event in self.index.unfinished():
            self.events.adopt(event)

    def schedule(self, event_id: str = "ev1", ahead_s: float = AHEAD_S) -> wire.Event:
        received = wire.InstantRecord(
            boot_id=self.boot_id, monotonic_ns=self.clock.monotonic_ns(), unix_ns=self.clock.unix_ns()
        )
        command = wire.StartEvent(
            event_id=event_id, fingerprint="f", received=received, age_ns=0, offset_ns=round((ahead_s + 5) * NS_PER_S)
        )
        event = self.events.start(command).event
        self.events.follow_up()
        return event

    def run(self, s: float, step_s: float = 1) -> None:
        for _ in range(round(s / step_s)):
            self.clock.advance(step_s)
            self.events.tick()

    def note(self) -> None:
        note = self.running.note(self.clock.monotonic_ns(), self.clock.unix_ns())
        running_notes.write_down(self.clips, self.index, note)

    def rebooted(self, off_s: float, wall_off_by_s: float = 0, boot_id: str = "boot-2", **limits: int) -> "Life":
        """The next life: the machine was off for `off_s` seconds, and its wall clock is off by so much."""
        self.end()
        unix_ns = self.clock.unix_ns() + round((off_s + wall_off_by_s) * NS_PER_S)
        return Life(self.root, self.context, HandClock(2 * NS_PER_S, unix_ns), boot_id, **limits)

    def end(self) -> None:
        self.note()
        self.events.close(0)
        self.index.close()

    @property
    def event(self) -> wire.Event:
        return self.events.get("ev1")

    @property
    def state(self) -> str:
        return self.event.state


@pytest.fixture(autouse=True)
def _without_the_log_of_an_index_that_is_used_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Index, "_lay_out_log", lambda _: None)


@pytest.fixture
def life(tmp_path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> Life:
    return Life(tmp_path, context, HandClock(), "boot-1")


def failure(life: Life) -> str:
    assert life.state == "failed"
    assert life.events.active() == []
    assert all(clip.complete is False for clip in life.event.clips)
    stored = life.index.get("ev1")
    assert stored == life.event
    file = life.clips.event_file(ClipsDir.folder_of("ev1", stored.triggered_unix_ns))
    wait_until(lambda: file.exists() and b'"scheduled"' not in file.read_bytes(), 5, "its file has it as failed")
    return life.event.clips[0].shortfall[0]


def test_it_begins_at_its_moment_after_a_reboot_with_a_right_clock(life: Life) -> None:
    scheduled = life.schedule()
    life.run(10)
    life = life.rebooted(5)
    life.run(14)
    assert life.state == "scheduled"
    life.run(1)
    assert life.state == "recording"
    assert [clip.requested for clip in life.event.clips] == [clip.requested for clip in scheduled.clips]
    window = life.stage.written[0].window
    assert window.from_ns == life.clock.monotonic_ns()
    life.end()


@pytest.mark.parametrize("wall_off_by_s", [TO_1970_S, 100, 3_000_000_000])
def test_it_fails_and_says_why_where_the_wall_clock_stays_wrong(life: Life, wall_off_by_s: float) -> None:
    life.schedule()
    life.run(10)
    life = life.rebooted(2, wall_off_by_s)
    life.run(20)
    assert life.state == "scheduled", "the clock may be set yet"
    life.run(2)
    assert "its moment has passed" in failure(life)
    assert life.schedule("ev2").state == "scheduled", "it takes no place any more"
    life.end()


@pytest.mark.parametrize("wall_off_by_s", [TO_1970_S, 40 * DAY_S])
def test_it_begins_at_its_moment_when_the_date_comes_in_time(life: Life, wall_off_by_s: float) -> None:
    life.schedule()
    life.run(5)
    life = life.rebooted(5, wall_off_by_s)
    life.run(3)
    life.clock.step_wall(-wall_off_by_s)
    life.run(16)
    assert life.state == "scheduled"
    life.run(1)
    assert life.state == "recording"
    life.end()


def test_what_the_rings_hold_is_recorded_when_the_date_comes_late(life: Life) -> None:
    life.schedule()
    life.run(1)
    life = life.rebooted(25, TO_1970_S)
    life.run(25)
    life.clock.step_wall(-TO_1970_S)
    life.run(1)
    assert life.state == "recording"
    assert life.stage.written[0].window.to_ns < life.clock.monotonic_ns()
    life.end()


def test_it_fails_when_its_moment_passed_while_the_machine_was_off(life: Life) -> None:
    life.schedule()
    life.run(1)
    life = life.rebooted(3_600)
    life.run(31)
    assert "s ago" in failure(life)
    assert life.stage.written == []
    life.end()


def test_reboot_after_reboot_does_not_keep_it(life: Life) -> None:
    life.schedule()
    for number in range(7):
        life.run(5)
        life = life.rebooted(1, TO_1970_S if number == 0 else 0, boot_id=f"boot-{number}")
    life.run(1)
    assert "its moment has passed" in failure(life)
    life.end()


def test_amended_after_a_reboot_and_restarted_it_still_follows_the_wall_clock(life: Life) -> None:
    life.schedule()
    life.run(1)
    life = life.rebooted(1, TO_1970_S)
    life.events.amend(wire.AmendEvent(event_id="ev1", post_s=3))
    life.run(1)
    life.end()
    life = Life(life.root, life.context, life.clock, life.boot_id)
    life.run(29)
    assert "its moment has passed" in failure(life)
    life.end()


def test_on_the_same_boot_it_keeps_its_moment_whatever_the_wall_clock_says(life: Life) -> None:
    life.schedule()
    life.run(5)
    life.end()
    life.clock.step_wall(TO_1970_S)
    life = Life(life.root, life.context, life.clock, life.boot_id)
    life.run(24)
    assert life.state == "scheduled"
    life.run(1)
    assert life.state == "recording"
    life.end()


@pytest.mark.parametrize(
    "plan",
    ["17", "no json", '{"boot_id": "boot-1", "trigger_ns": "soon"}'],
)
def test_it_is_placed_by_its_record_where_its_plan_is_damaged(life: Life, plan: str) -> None:
    life.schedule()
    life.run(10)
    with life.index._writer:
        life.index._writer.execute("UPDATE event SET plan = ?", (plan,))
    life = life.rebooted(5)
    life.run(14)
    assert life.state == "scheduled"
    life.run(1)
    assert life.state == "recording"
    life.end()


def test_a_plan_that_lies_years_ahead_on_its_own_boot_fails(life: Life) -> None:
    life.schedule()
    facts = life.index.plan("ev1")
    assert facts is not None
    year_ns = 365 * DAY_S * NS_PER_S
    moved = {
        key: value + year_ns if key in {"trigger_ns", "from_ns", "to_ns"} else value for key, value in facts.items()
    }
    life.index.put(life.event, moved)
    life.end()
    life = Life(life.root, life.context, life.clock, life.boot_id)
    life.run(3_601, step_s=3_601)
    assert "its plan has it begin" in failure(life)
    life.end()


def test_a_clip_of_a_camera_that_is_known_no_more_fails_and_the_others_are_recorded(life: Life) -> None:
    life.schedule()
    life = life.rebooted(1, max_cameras=1)
    life.run(31)
    states = {clip.camera_id: (clip.state, clip.shortfall) for clip in life.event.clips}
    assert states["cam1"] == ("recording", ())
    assert states["cam2"][0] == "failed"
    assert "not known any more" in states["cam2"][1][0]
    assert [recording.plan.camera_id for recording in life.stage.written] == ["cam1"]
    life.end()


def test_an_event_that_cannot_be_begun_fails_alone(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    life = life.rebooted(0, max_active_events=2)
    life.schedule("ev1")
    life.schedule("ev2")
    begin = life.events._acceptance.begin_recordings

    def fail_first(opened: OpenEvent, now_ns: int) -> Any:
        if opened.event.event_id == "ev1":
            raise RuntimeError("no memory for a ring")
        return begin(opened, now_ns)

    monkeypatch.setattr(life.events._acceptance, "begin_recordings", fail_first)
    life.run(31)
    assert "no memory for a ring" in failure_of(life.events.get, "ev1")
    assert life.events.get("ev2").state == "recording"
    life.end()


def test_a_clip_that_gets_no_writer_fails_and_says_why_and_the_others_are_recorded(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = life.stage.write

    def fail_first(opened: OpenEvent, recording: Recording) -> None:
        if recording.plan.camera_id == "cam1":
            raise MemoryError("no memory for a writer")
        write(opened, recording)

    monkeypatch.setattr(life.stage, "write", fail_first)
    life.schedule()
    life.run(31)
    states = {clip.camera_id: (clip.state, clip.shortfall) for clip in life.event.clips}
    assert states == {
        "cam1": ("failed", ("its writer could not be made: MemoryError: no memory for a writer",)),
        "cam2": ("recording", ()),
    }
    wait_until(lambda: life.index.get("ev1") == life.event, 5, "it is stored")
    life.end()


def test_an_event_of_which_no_clip_gets_a_writer_comes_to_its_end(life: Life) -> None:
    life.stage.error = ValueError("no such folder")
    life.schedule()
    life.run(31)
    wait_until(lambda: life.events.opened("ev1") is None, 5, "it is over, and stored")
    assert "no such folder" in failure(life)
    life.stage.error = None
    assert life.schedule("ev2").state == "scheduled", "it takes no place any more"
    life.end()


def test_an_event_whose_beginning_cannot_be_stored_is_recorded_all_the_same(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    life.schedule()

    def refuse(*_: object) -> None:
        raise ValueError("no row")

    with monkeypatch.context() as spoilt:
        spoilt.setattr(life.events._records, "store", refuse)
        life.run(31)
    assert life.state == "recording"
    assert [recording.plan.camera_id for recording in life.stage.written] == ["cam1", "cam2"]
    life.end()


def test_an_event_that_is_not_begun_to_its_end_fails(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    life.schedule()
    begun = clip_life.begun

    def begin_and_fail(event: wire.Event) -> wire.Event:
        monkeypatch.setattr(clip_life, "failed", fail_once)
        return begun(event)

    failed = clip_life.failed

    def fail_once(*_: object) -> wire.Clip:
        monkeypatch.setattr(clip_life, "failed", failed)
        raise ValueError("no such clip")

    monkeypatch.setattr(clip_life, "begun", begin_and_fail)
    monkeypatch.setattr(life.events._acceptance, "begin_recordings", lambda *_: None)
    life.run(31)
    assert "no such clip" in failure(life)
    assert life.stage.written == []
    life.end()


@pytest.mark.parametrize("told", ["tell", "write_file"])
def test_an_accepted_event_that_cannot_be_told_of_is_recorded_all_the_same(
    life: Life, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("no word")

    with monkeypatch.context() as spoilt:
        spoilt.setattr(life.events._records, told, refuse)
        with pytest.raises(ValueError, match="no word"):
            life.schedule(ahead_s=-1)
    assert [recording.plan.camera_id for recording in life.stage.written] == ["cam1", "cam2"]
    life.end()


def failure_of(get: Callable[[str], wire.Event], event_id: str) -> str:
    event = get(event_id)
    assert event.state == "failed"
    return event.clips[0].shortfall[0]


def test_no_place_is_taken_for_good(life: Life) -> None:
    life.schedule()
    life = life.rebooted(1, TO_1970_S)
    with pytest.raises(CommandRejected, match="max_active_events=1"):
        life.schedule("ev2")
    life.run(60)
    assert life.schedule("ev2").state == "scheduled"
    life.end()

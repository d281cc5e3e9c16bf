"""A clip whose rendition cannot be made: it says so, it is tried again, and it keeps neither room nor other clips waiting."""

import errno
import multiprocessing
import os
import queue
from collections.abc import Iterator
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import Any

import pytest
import zmq

from preroll import wire
from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.renditions.jobs import Encoding, Job, JobDone, JobFailed
from services.recorder.renditions.pool import FALLBACK_AFTER, EncodePool
from services.recorder.renditions.renditions import RETRY_AFTER_S, UNWELL_AFTER, Renditions
from tests.support.living import Living, QuickDisk
from tests.support.waiting import wait_until

Context = zmq.Context[zmq.Socket[bytes]]
QUICK = Encoding("libx264", "ultrafast", 30, threads=1)
DONE = JobDone("a" * 64, "b" * 64, {"name": "libx264", "frames": 13, "undecodable": 0}, 0.1)
FAILED = JobFailed("the encoder's process died, exit code -9")


class SidecarFails(QuickDisk):
    """Takes no sidecar while `fails`."""

    fails = False

    def create(self, path: Path) -> int:
        if self.fails and path.name.endswith(".json.part"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().create(path)


class Ending:
    """Renditions whose jobs end as a test says: `end` takes the oldest job that waits."""

    def __init__(self, living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        monkeypatch.setattr(EncodePool, "submit", lambda _, job: self.jobs.put(job))
        self.living = living
        self.renditions = Renditions(
            living.events, living.clips, living.clock, Threads(Shutdown()), QUICK, 1, 60, keep_original=False
        )
        assert living.events.stage is not None
        monkeypatch.setattr(living.events.stage, "needs", self.renditions.needs)

    def submit(self, event_id: str = "ev1") -> None:
        opened = self.living.events.opened(event_id)
        assert opened is not None
        self.renditions.submit(opened, opened.clip("cam1"))

    def end(self, outcome: JobDone | JobFailed) -> Job:
        job = self.jobs.get(timeout=5)
        if isinstance(outcome, JobDone):
            assert job.target is not None
            job.target.write_bytes(b"rendition")
        self.renditions._on_job_end(job, outcome)
        return job

    def advance(self, s: float) -> None:
        self.living.clock.advance(s)
        self.renditions.tick()


@pytest.fixture
def living(tmp_path: Path, context: Context) -> Iterator[Living]:
    with Living(tmp_path, context, "cam1", disk=SidecarFails()) as made:
        made.send(range(40))
        yield made


@pytest.fixture
def ending(living: Living, monkeypatch: pytest.MonkeyPatch) -> Ending:
    made = Ending(living, monkeypatch)
    recorded(living)
    made.submit()
    return made


def recorded(living: Living, event_id: str = "ev1", first: int = 40) -> None:
    living.start(event_id, pre_s=0.3, post_s=0.1)
    living.send(range(first, first + 10))
    living.saved(event_id)


def clip(living: Living, event_id: str = "ev1") -> wire.Clip:
    return living.events.get(event_id).clips[0]


def stated(living: Living) -> wire.Clip:
    return living.sidecar(living.events.get("ev1"), "cam1").clip


def test_clip_without_a_rendition_stays_saved_and_says_why(living: Living, ending: Ending) -> None:
    ending.end(FAILED)
    found = clip(living)
    assert (found.state, found.complete) == ("saved", True)
    assert found.shortfall == ("no rendition: the encoder's process died, exit code -9",)
    assert stated(living).shortfall == found.shortfall
    figures = ending.renditions.figures()
    assert (figures["encodes_failed"], figures["clips_without_rendition"]) == (1, 1)
    assert living.events.wait_stored(5)
    stored = living.index.get("ev1")
    assert stored is not None
    assert stored.clips[0].shortfall == found.shortfall


def test_job_is_tried_again_later_and_later_and_not_for_ever(living: Living, ending: Ending) -> None:
    for after_s in RETRY_AFTER_S:
        ending.end(FAILED)
        ending.advance(after_s - 1)
        assert ending.jobs.empty()
        ending.advance(2)
    ending.end(FAILED)
    ending.advance(10 * max(RETRY_AFTER_S))
    assert ending.jobs.empty()
    assert ending.renditions.figures()["encodes_failed"] == len(RETRY_AFTER_S) + 1


def test_later_success_heals_the_clip(living: Living, ending: Ending) -> None:
    ending.end(FAILED)
    ending.advance(RETRY_AFTER_S[0])
    ending.end(DONE)
    wait_until(lambda: clip(living).state == "ready", 5)
    assert (clip(living).complete, clip(living).shortfall) == (True, ())
    assert ending.renditions.figures()["clips_without_rendition"] == 0
    assert living.events.wait_stored(5)
    assert not living.events.is_open("ev1")


def test_clip_of_which_nothing_can_be_shown_is_not_complete_and_not_tried_again(living: Living, ending: Ending) -> None:
    ending.end(JobFailed("none of its 13 pictures can be decoded", "pictures"))
    found = clip(living)
    assert (found.state, found.complete) == ("saved", False)
    assert found.shortfall == ("no rendition: none of its 13 pictures can be decoded",)
    assert stated(living).complete is False
    ending.advance(10 * max(RETRY_AFTER_S))
    assert ending.jobs.empty()


def test_pictures_that_cannot_be_decoded_are_stated_of_a_ready_clip(living: Living, ending: Ending) -> None:
    ending.end(JobDone("a" * 64, "b" * 64, {"frames": 10, "undecodable": 3}, 0.1))
    wait_until(lambda: clip(living).state == "ready", 5)
    assert (clip(living).complete, clip(living).shortfall) == (False, ("3 of 13 pictures cannot be decoded",))


def test_rendition_that_was_cut_short_takes_the_place_of_no_original(living: Living, ending: Ending) -> None:
    job = ending.end(JobDone("a" * 64, "b" * 64, {"frames": 5, "undecodable": 0}, 0.1))
    assert clip(living).shortfall == (
        "no rendition: the rendition has 5 of 13 pictures: the original could not be read to its end",
    )
    assert (clip(living).state, job.original.exists()) == ("saved", True)
    assert job.target is not None
    assert not job.target.exists()
    ending.advance(RETRY_AFTER_S[0])
    ending.end(DONE)
    wait_until(lambda: clip(living).state == "ready", 5)


def test_sidecar_that_the_disk_refused_is_written_later_and_then_the_clip_is_ready(
    living: Living, ending: Ending
) -> None:
    disk = living.clips.disk
    assert isinstance(disk, SidecarFails)
    disk.fails = True
    job = ending.end(DONE)
    wait_until(lambda: ending.renditions._ready.failures, 5)
    assert clip(living).state == "saved"
    assert job.original.exists()
    disk.fails = False
    ending.advance(1)
    wait_until(lambda: clip(living).state == "ready", 5)
    assert stated(living).state == "ready"
    assert not job.original.exists()


def test_retention_may_have_a_clip_whose_encoder_failed(living: Living, ending: Ending) -> None:
    assert living.events.is_open("ev1")
    assert not living.events.retire("ev1")
    ending.end(FAILED)
    assert not living.events.is_open("ev1")
    assert living.events.retire("ev1")
    assert list(living.clips.folders()) == []
    ending.advance(RETRY_AFTER_S[0])
    assert ending.jobs.empty()
    assert ending.renditions.figures()["clips_without_rendition"] == 0
    assert living.events.wait_stored(5)
    assert living.index.get("ev1") is None


def test_where_the_encoder_fails_again_and_again_the_clips_that_wait_for_it_may_go(
    living: Living, ending: Ending
) -> None:
    recorded(living, "ev2", first=50)
    ending.submit("ev2")
    assert living.events.is_open("ev2")
    ending.jobs.get(timeout=5)
    for _ in range(UNWELL_AFTER):
        ending.renditions._on_job_end(ending_job(living, "ev1"), FAILED)
    assert not living.events.is_open("ev2")


def test_a_clip_that_waits_for_its_encoder_for_long_may_go(living: Living, ending: Ending) -> None:
    assert living.events.is_open("ev1")
    living.clock.advance(1_000)
    assert not living.events.is_open("ev1")


def ending_job(living: Living, event_id: str) -> Job:
    opened = living.events.opened(event_id)
    assert opened is not None
    paths = living.clips.clip(opened.plan.folder, "cam1")
    return Job(event_id, "cam1", paths.original, paths.clip)


def test_event_that_is_deleted_while_its_clip_becomes_ready_does_not_return(living: Living, ending: Ending) -> None:
    event = living.events.get("ev1")
    opened = living.events.opened("ev1")
    assert opened is not None
    job = ending.jobs.get(timeout=5)
    assert job.target is not None
    job.target.write_bytes(b"rendition")
    living.events.delete(wire.DeleteEvent(event_id="ev1"))
    with pytest.raises(Exception, match="No such file"):
        ending.renditions._described(opened, job, DONE)
    ending.renditions._on_job_end(job, DONE)
    assert ending.renditions._ready.wait_done(5)
    assert list(living.clips.folders()) == []
    assert event.event_id == "ev1"


# --- the pool


@pytest.fixture
def outcomes() -> "queue.SimpleQueue[JobDone | JobFailed]":
    return queue.SimpleQueue()


def pool_of(encoding: Encoding, outcomes: "queue.SimpleQueue[JobDone | JobFailed]") -> EncodePool:
    made = EncodePool(1, encoding, 60, lambda _, outcome: outcomes.put(outcome))
    made.start(Threads(Shutdown()))
    return made


def job_of(living: Living) -> Job:
    recorded(living)
    return ending_job(living, "ev1")


@pytest.mark.parametrize("call", ["Pipe", "Process"])
def test_worker_that_cannot_be_started_costs_its_job_a_try_and_nothing_more(
    living: Living, outcomes: "queue.SimpleQueue[JobDone | JobFailed]", monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    job = job_of(living)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr(SpawnContext if call == "Pipe" else SpawnProcess, "Pipe" if call == "Pipe" else "start", refuse)
        encoders = pool_of(QUICK, outcomes)
        encoders.submit(job)
        failed = outcomes.get(timeout=10)
    assert isinstance(failed, JobFailed)
    assert failed.cause == "worker"
    assert "no encoder process could be started" in failed.reason
    assert "Too many open files" in failed.reason
    encoders.submit(job)
    try:
        assert isinstance(outcomes.get(timeout=30), JobDone)
        assert encoders.encoder == "libx264"
    finally:
        encoders.close()
    assert multiprocessing.active_children() == []


def test_encoder_that_fails_at_a_clip_gives_way_to_libx264_for_that_clip(
    living: Living, outcomes: "queue.SimpleQueue[JobDone | JobFailed]", monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(living)
    asked: list[str] = []

    def attempt(_: EncodePool, __: object, ___: Job, encoding: Encoding) -> JobDone | JobFailed:
        asked.append(encoding.encoder)
        return DONE if encoding.encoder == "libx264" else JobFailed("ExternalError: the driver was reset")

    monkeypatch.setattr(EncodePool, "_attempt", attempt)
    monkeypatch.setattr(EncodePool, "_settle_encoding", lambda *_: None)
    encoders = pool_of(Encoding("h264_nvenc", "p4", 23, 1), outcomes)
    try:
        for number in range(FALLBACK_AFTER + 1):
            assert encoders.encoder == "h264_nvenc" if number < FALLBACK_AFTER else "libx264"
            encoders.submit(job)
            assert outcomes.get(timeout=10) == DONE
        assert asked == ["h264_nvenc", "libx264"] * FALLBACK_AFTER + ["libx264"]
        encoders._fallback_until = 0.0  # the time is over
        assert encoders.encoder == "h264_nvenc"
    finally:
        encoders.close()


def test_fault_in_the_pool_itself_costs_one_job(
    living: Living, outcomes: "queue.SimpleQueue[JobDone | JobFailed]", monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(living)
    faults: Iterator[Exception | None] = iter([RuntimeError("a bug"), None])

    def attempt(*_: object) -> JobDone:
        fault = next(faults)
        if fault is not None:
            raise fault
        return DONE

    monkeypatch.setattr(EncodePool, "_attempt", attempt)
    encoders = pool_of(QUICK, outcomes)
    try:
        encoders.submit(job)
        encoders.submit(job)
        assert outcomes.get(timeout=10) == JobFailed("RuntimeError: a bug", "worker")
        assert outcomes.get(timeout=10) == DONE
    finally:
        encoders.close()


def test_pictures_none_of_which_decodes_are_named_as_the_cause(
    living: Living, outcomes: "queue.SimpleQueue[JobDone | JobFailed]"
) -> None:
    job = job_of(living)
    data = job.original.read_bytes()
    job.original.write_bytes(data.replace(b"\xff\xc0", b"\xff\xfe"))  # a comment in place of the frame's header
    encoders = pool_of(QUICK, outcomes)
    try:
        encoders.submit(job)
        failed = outcomes.get(timeout=30)
    finally:
        encoders.close()
    assert isinstance(failed, JobFailed)
    assert (failed.cause, failed.reason) == ("pictures", "none of its 13 pictures can be decoded")

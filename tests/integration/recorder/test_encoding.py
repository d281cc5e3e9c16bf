"""The worker processes: what becomes of a job when its worker dies, hangs, or has to end."""

import logging
import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from preroll.process import Shutdown
from preroll.runtime.threads import Threads
from services.recorder.renditions import pool as encoding_module
from services.recorder.renditions.jobs import Encoding, Job, JobDone, JobFailed
from services.recorder.renditions.pool import EncodePool
from services.recorder.store.files import sha256_of
from tests.support.originals import colour_card, jpeg_of, write_original
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(120), pytest.mark.skipif(os.name != "posix", reason="kills by signals")]

QUICK = Encoding("libx264", "ultrafast", 30, threads=1)
SLOW = Encoding("libx264", "veryslow", 1, threads=1)
Outcomes = queue.SimpleQueue[tuple[Job, JobDone | JobFailed]]


@contextmanager
def pool(
    encoding: Encoding | None = QUICK, *, workers: int = 1, timeout_s: float = 60, idle_s: float = 60
) -> Iterator[tuple[EncodePool, Outcomes]]:
    outcomes: Outcomes = queue.SimpleQueue()
    made = EncodePool(workers, encoding, timeout_s, lambda job, outcome: outcomes.put((job, outcome)), idle_s)
    made.start(Threads(Shutdown()))
    try:
        yield made, outcomes
    finally:
        made.close()
        assert multiprocessing.active_children() == []


def job(tmp_path: Path, name: str = "cam1", frames: int = 20, width: int = 640) -> Job:
    height = width * 9 // 16
    original = write_original(
        tmp_path / f"{name}.original.mp4", [jpeg_of(colour_card(width, height))] * frames, size=(width, height)
    )
    return Job("ev1", name, original, tmp_path / f"{name}.mp4")


def long_job(tmp_path: Path) -> Job:
    return job(tmp_path, frames=150, width=1280)


def done(outcomes: Outcomes, timeout_s: float = 60) -> JobDone:
    outcome = outcomes.get(timeout=timeout_s)[1]
    assert isinstance(outcome, JobDone), outcome
    return outcome


def failed(outcomes: Outcomes, timeout_s: float = 60) -> JobFailed:
    outcome = outcomes.get(timeout=timeout_s)[1]
    assert isinstance(outcome, JobFailed), outcome
    return outcome


def worker_at_work(on: Job) -> int:
    """The process id of the worker, once it writes the rendition."""
    part = on.part
    assert part is not None
    wait_until(part.exists, 30)
    (process,) = multiprocessing.active_children()
    assert process.pid is not None
    return process.pid


def test_job_gives_the_rendition_and_its_facts(tmp_path: Path) -> None:
    asked = job(tmp_path)
    with pool() as (encoders, outcomes):
        encoders.submit(asked)
        outcome = done(outcomes)
        wait_until(lambda: encoders.running == 0, 5)
    assert asked.target is not None
    assert outcome.target_sha256 == sha256_of(asked.target)
    assert outcome.original_sha256 == sha256_of(asked.original)
    assert outcome.encoder["name"] == "libx264"
    assert outcome.encoder["frames"] == 20
    assert outcome.took_s > 0
    assert asked.original.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cam1.mp4", "cam1.original.mp4"]


def test_job_without_a_target_hashes_alone(tmp_path: Path) -> None:
    asked = job(tmp_path)
    with pool(None) as (encoders, outcomes):
        encoders.submit(Job("ev1", "cam1", asked.original, None))
        outcome = done(outcomes)
    assert (outcome.target_sha256, outcome.encoder) == (None, {})
    assert outcome.original_sha256 == sha256_of(asked.original)


def test_an_idle_worker_gives_its_memory_back_and_comes_again(tmp_path: Path) -> None:
    asked = job(tmp_path)
    with pool(idle_s=0.05) as (encoders, outcomes):
        for _ in range(2):
            encoders.submit(asked)
            assert done(outcomes).target_sha256 == sha256_of(tmp_path / "cam1.mp4")
            wait_until(lambda: not multiprocessing.active_children(), 10)


def test_the_worker_that_tried_the_encoder_goes_when_no_job_waits() -> None:
    with pool(idle_s=60):
        wait_until(multiprocessing.active_children, 10)
        wait_until(lambda: not multiprocessing.active_children(), 10)


def test_figures_count_what_waits_and_what_runs(tmp_path: Path) -> None:
    with pool(SLOW) as (encoders, _):
        asked = long_job(tmp_path)
        for _ in range(3):
            encoders.submit(asked)
        worker_at_work(asked)
        assert (encoders.waiting, encoders.running) == (2, 1)


def test_worker_that_is_killed_costs_one_retry(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked = long_job(tmp_path)
    with pool(Encoding("libx264", "medium", 10, 1)) as (encoders, outcomes):
        encoders.submit(asked)
        os.kill(worker_at_work(asked), signal.SIGKILL)
        done(outcomes)
    assert "the encoder's process died, exit code -9" in caplog.text


def test_worker_that_dies_every_time_is_said_and_the_next_job_is_done(tmp_path: Path) -> None:
    asked = long_job(tmp_path)
    with pool(Encoding("libx264", "medium", 10, 1)) as (encoders, outcomes):
        encoders.submit(asked)
        first = worker_at_work(asked)
        os.kill(first, signal.SIGKILL)
        second = wait_until(lambda: [p.pid for p in multiprocessing.active_children() if p.pid != first], 30)[0]
        assert second is not None
        os.kill(second, signal.SIGKILL)
        assert "process died" in failed(outcomes).reason
        assert asked.part is not None
        assert not asked.part.exists()
        assert asked.original.exists()
        encoders.submit(job(tmp_path, "cam2"))
        done(outcomes)


def test_worker_that_hangs_is_ended_at_its_deadline(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked = long_job(tmp_path)
    with pool(Encoding("libx264", "medium", 10, 1), timeout_s=15) as (encoders, outcomes):
        encoders.submit(asked)
        hung = worker_at_work(asked)
        os.kill(hung, signal.SIGSTOP)
        done(outcomes)
        assert hung not in {process.pid for process in multiprocessing.active_children()}
    assert "did not finish within 15 s" in caplog.text


def test_corrupt_original_fails_and_is_kept(tmp_path: Path) -> None:
    asked = job(tmp_path)
    asked.original.write_bytes(b"no film" * 1000)
    with pool() as (encoders, outcomes):
        encoders.submit(asked)
        assert "Unreadable" in failed(outcomes).reason
        encoders.submit(job(tmp_path, "cam2"))
        done(outcomes)
    assert asked.original.exists()
    assert asked.target is not None
    assert not asked.target.exists()


def test_original_that_is_gone_is_not_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pool() as (encoders, outcomes):
        encoders.submit(Job("ev1", "cam1", tmp_path / "gone.mp4", tmp_path / "cam1.mp4"))
        assert "FileNotFoundError" in failed(outcomes).reason
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_closing_ends_a_job_in_hand_at_once(tmp_path: Path) -> None:
    asked = long_job(tmp_path)
    with pool(SLOW) as (encoders, outcomes):
        encoders.submit(asked)
        worker_at_work(asked)
        began = time.monotonic()
        encoders.close()
        assert time.monotonic() - began < 2
        assert outcomes.empty()
    assert asked.original.exists()
    assert asked.target is not None
    assert not asked.target.exists()


def test_encoder_that_cannot_be_used_gives_way_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pool(Encoding("h264_v4l2m2m", "superfast", 23, 1)) as (encoders, outcomes):
        encoders.submit(job(tmp_path))
        assert done(outcomes).encoder["name"] == "libx264"
        assert encoders.encoder == "libx264"
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "h264_v4l2m2m" in warning.getMessage()
    assert "using libx264 instead" in warning.getMessage()


def test_an_end_that_cannot_be_taken_up_does_not_stop_the_pool(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ends: Outcomes = queue.SimpleQueue()

    def on_end(ended: Job, outcome: JobDone | JobFailed) -> None:
        ends.put((ended, outcome))
        if ended.camera_id == "cam1":
            raise OSError("disk full")

    encoders = EncodePool(1, QUICK, 60, on_end)
    encoders.start(Threads(Shutdown()))
    encoders.submit(job(tmp_path))
    encoders.submit(job(tmp_path, "cam2"))
    try:
        done(ends)
        done(ends)
    finally:
        encoders.close()
    assert "job's end not taken up" in caplog.text


def test_job_waits_for_space_as_long_as_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(encoding_module, "SPACE_RETRY_S", 0.05)
    replies = iter([JobFailed("full", "space")] * 4 + [JobDone("a" * 64, "b" * 64, {}, 0.1)])
    monkeypatch.setattr(EncodePool, "_attempt", lambda *_: next(replies))
    with pool(None) as (encoders, outcomes):
        encoders.submit(job(tmp_path))
        done(outcomes)
    assert caplog.text.count("encoding: full") == 1


def test_worker_yields_to_the_recorder_and_ignores_ctrl_c(tmp_path: Path) -> None:
    asked = long_job(tmp_path)
    with pool(Encoding("libx264", "medium", 10, 1)) as (encoders, outcomes):
        encoders.submit(asked)
        pid = worker_at_work(asked)
        assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + 10
        os.kill(pid, signal.SIGINT)
        done(outcomes)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
def test_workers_die_with_the_recorder(tmp_path: Path) -> None:
    asked = long_job(tmp_path)
    assert asked.target is not None
    script = tmp_path / "recorder.py"
    script.write_text(
        "import multiprocessing, sys, time\n"
        "from pathlib import Path\n"
        "from preroll.process import Shutdown\n"
        "from preroll.runtime.threads import Threads\n"
        "from services.recorder.renditions.jobs import Encoding, Job\n"
        "from services.recorder.renditions.pool import EncodePool\n"
        "if __name__ == '__main__':\n"
        "    pool = EncodePool(1, Encoding('libx264', 'veryslow', 1, 1), 60, print)\n"
        "    pool.start(Threads(Shutdown()))\n"
        f"    job = Job('ev1', 'cam1', Path({str(asked.original)!r}), Path({str(asked.target)!r}))\n"
        "    pool.submit(job)\n"
        "    while not job.part.exists():\n"
        "        time.sleep(0.01)\n"
        "    print(multiprocessing.active_children()[0].pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, env=environment, text=True
    ) as recorder:
        assert recorder.stdout is not None
        worker = int(recorder.stdout.readline())
        recorder.kill()
        wait_until(lambda: not is_running(worker), 5)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_trial_that_fails_in_an_unforeseen_way_ends_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = encoding_module._Worker.ask
    asked: list[object] = []

    def fails_first(self: object, request: object, timeout_s: float) -> object:
        asked.append(request)
        if len(asked) == 1:
            raise MemoryError
        return ask(self, request, timeout_s)  # type: ignore[arg-type]

    monkeypatch.setattr(encoding_module._Worker, "ask", fails_first)
    with pool() as (encoders, outcomes):
        encoders.submit(job(tmp_path))
        assert done(outcomes).encoder["name"] == "libx264"

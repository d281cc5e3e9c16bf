"""The encoders: worker processes that make renditions and hash files, so that neither can touch the ring.

A job that dies or hangs costs its worker and is tried once more. A job in hand at shutdown is lost and, the clip being
`saved`, done again at the next start.
"""

import ctypes
import logging
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final

from preroll.logs import fields
from preroll.wire import Scalar
from services.recorder.encoder import FALLBACK, EncoderUnusable, Encoding, probe, render
from services.recorder.files import PART, sha256_of

log = logging.getLogger(__name__)

TRIES: Final = 2
NICENESS: Final = 10
_PR_SET_PDEATHSIG: Final = 1
_STEP_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Job:
    """Make `target` out of `original`; without a `target`, only hash the original."""

    event_id: str
    camera_id: str
    original: Path
    target: Path | None


@dataclass(frozen=True, slots=True)
class JobDone:
    """What a worker did. `encoder` describes the rendition, empty when there was none to make."""

    target_sha256: str | None
    original_sha256: str
    encoder: dict[str, Scalar]
    took_s: float


@dataclass(frozen=True, slots=True)
class JobFailed:
    """Why a job could not be done."""

    reason: str


class EncodePool:
    """Workers and the jobs that wait for them. `on_end` is called from a worker's thread, once a job."""

    def __init__(
        self,
        workers: int,
        encoding: Encoding,
        timeout_s: float,
        on_end: Callable[[Job, JobDone | JobFailed], None],
    ) -> None:
        self.encoding = encoding
        self._timeout_s = timeout_s
        self._on_end = on_end
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._running = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._serve, name=f"encoder-{number}", daemon=True) for number in range(workers)
        ]

    @property
    def waiting(self) -> int:
        return self._jobs.qsize()

    @property
    def running(self) -> int:
        return self._running

    def start(self) -> None:
        """Try the encoder, fall back to libx264 when it cannot be used, and begin with the jobs."""
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        self._jobs.put(job)

    def close(self) -> None:
        """End at once; jobs in hand are lost."""
        self._closing.set()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(5)

    def _serve(self) -> None:
        worker = _Worker()
        try:
            while (job := self._jobs.get()) is not None and not self._closing.is_set():
                with self._lock:
                    self._running += 1
                try:
                    outcome = self._carry_out(worker, job)
                finally:
                    with self._lock:
                        self._running -= 1
                if outcome is not None:
                    self._on_end(job, outcome)
        finally:
            worker.end()

    def _carry_out(self, worker: "_Worker", job: Job) -> JobDone | JobFailed | None:
        about = fields(event_id=job.event_id, camera_id=job.camera_id)
        outcome: JobDone | JobFailed | None = None
        for attempt in range(1, TRIES + 1):
            try:
                outcome = worker.carry_out(job, self.encoding, self._timeout_s, self._closing)
            except Exception as err:
                log.exception("encode worker could not be used", extra=about)
                outcome = JobFailed(str(err))
                worker.end()
            if outcome is None or isinstance(outcome, JobDone):
                return outcome
            log.warning(
                "encoding failed: %s", outcome.reason, extra={"fields": {**about["fields"], "attempt": attempt}}
            )
        return outcome


def usable(encoding: Encoding) -> Encoding:
    """The encoding, or with libx264 instead of an encoder that this machine does not have (said in a warning)."""
    try:
        probe(encoding)
    except EncoderUnusable as err:
        if encoding.encoder == FALLBACK:
            raise
        log.warning("%s; using %s instead", err, FALLBACK, extra=fields(encoder=encoding.encoder))
        encoding = Encoding(FALLBACK, "superfast", encoding.quality, encoding.threads)
        probe(encoding)
    return encoding


class _Worker:
    """A worker process, made when first needed and again after it died. Used by one thread."""

    def __init__(self) -> None:
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def carry_out(
        self, job: Job, encoding: Encoding, timeout_s: float, closing: threading.Event
    ) -> JobDone | JobFailed | None:
        """The job's outcome; `None` when `closing` was set meanwhile."""
        pipe = self._ensure()
        deadline = time.monotonic() + timeout_s
        try:
            pipe.send((job, encoding))
            while not pipe.poll(_STEP_S):
                if closing.is_set():
                    self.end()
                    return None
                if time.monotonic() > deadline:
                    self.end()
                    return JobFailed(f"the encoder did not finish within {timeout_s:g} s")
            outcome: JobDone | JobFailed = pipe.recv()
        except (EOFError, OSError):
            process = self._process
            self.end()
            code = process.exitcode if process is not None else None
            return JobFailed(f"the encoder's process died, exit code {code}")
        return outcome

    def end(self) -> None:
        process, self._process = self._process, None
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.kill()
            process.join(5)

    def _ensure(self) -> Connection:
        if self._process is not None and not self._process.is_alive():
            self.end()
        if self._pipe is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(
                target=work, args=(theirs, os.getpid()), name="preroll-encoder", daemon=True
            )
            self._process.start()
            theirs.close()
        return self._pipe


def work(pipe: Connection, parent_pid: int) -> None:
    """The worker process: jobs in, outcomes out, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with(parent_pid)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    while True:
        try:
            job, encoding = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(_outcome_of(job, encoding))


def _outcome_of(job: Job, encoding: Encoding) -> JobDone | JobFailed:
    began = time.monotonic()
    try:
        facts: dict[str, Scalar] = {}
        target_sha256: str | None = None
        if job.target is not None:
            part = job.target.with_name(job.target.name + PART)
            facts = render(job.original, part, encoding).facts(encoding)
            target_sha256 = sha256_of(part)
            part.replace(job.target)
            _sync_folder(job.target.parent)
        return JobDone(target_sha256, sha256_of(job.original), facts, time.monotonic() - began)
    except Exception as err:
        return JobFailed(f"{type(err).__name__}: {err}"[:500])


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _die_with(parent_pid: int) -> None:
    """Have the kernel end this process when the recorder is gone, also after a kill -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:
            os._exit(1)

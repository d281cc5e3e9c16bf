"""The encoders: worker processes that make renditions and hash files, so that neither can touch the ring.

A job that dies or hangs costs its worker and is tried once more. A job in hand at shutdown is lost and, the clip being
`saved`, done again at the next start. Jobs are as many as there are clips that are saved and not ready, and no more.
"""

import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Final

from preroll.logs import fields
from preroll.turns import take_short_turns
from services.recorder.renditions.jobs import FALLBACK, Encoding, Job, JobDone, JobFailed, Probe, Request, Usable

log = logging.getLogger(__name__)

TRIES: Final = 2
IDLE_S: Final = 10.0  # a worker holds some 50 MB, and starts in a third of a second
FALLBACK_PRESET: Final = "superfast"
PROBE_TIMEOUT_S: Final = 30.0
SPACE_RETRY_S: Final = 5.0
TIMEOUT_PER_BYTES: Final = 100_000_000
_STEP_S: Final = 0.1


class EncodePool:
    """Workers and the jobs that wait for them. `on_end` is called from a worker's thread, once a job."""

    def __init__(
        self,
        workers: int,
        encoding: Encoding | None,
        timeout_s: float,
        on_end: Callable[[Job, JobDone | JobFailed], None],
        idle_s: float = IDLE_S,
    ) -> None:
        """`encoding` is `None` where jobs only hash. `timeout_s` is for every 100 MB of an original that a job has."""
        self._encoding = encoding
        self._is_settled = encoding is None
        self._settling = threading.Lock()
        self._timeout_s = timeout_s
        self._on_end = on_end
        self._idle_s = idle_s
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

    @property
    def encoder(self) -> str:
        """The encoder in use: the one asked for, or the fallback once that has proved unusable."""
        return "none" if self._encoding is None else self._encoding.encoder

    def start(self) -> None:
        """Try the encoder, fall back to libx264 when it cannot be used, and begin with the jobs. Does not wait."""
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
        take_short_turns()  # a worker inherits this, and no real-time priority
        if hasattr(signal, "pthread_sigmask"):
            # A worker inherits this, so that Ctrl-C cannot end it before it has said that it ignores it.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        worker = _Worker(self._closing)
        try:
            self._settle_encoding(worker)
            if self._jobs.empty():
                worker.end()  # after the trial there may be nothing to do for days
            while (job := self._next_job(worker)) is not None and not self._closing.is_set():
                with self._lock:
                    self._running += 1
                try:
                    outcome = self._carry_out(worker, job)
                finally:
                    with self._lock:
                        self._running -= 1
                if outcome is not None:
                    self._tell(job, outcome)
        finally:
            worker.end()

    def _next_job(self, worker: "_Worker") -> Job | None:
        """The next job, `None` at the end. A worker that has nothing to do for a while gives its memory back."""
        try:
            return self._jobs.get(timeout=self._idle_s)
        except queue.Empty:
            worker.end()
            return self._jobs.get()

    def _settle_encoding(self, worker: "_Worker") -> None:
        """In a worker, because a driver may take its process with it."""
        with self._settling:
            if self._is_settled or self._encoding is None:
                return
            asked = self._encoding
            fallback = Encoding(FALLBACK, FALLBACK_PRESET, asked.quality, asked.threads)
            reply = worker.ask(Probe(asked), PROBE_TIMEOUT_S)
            if isinstance(reply, JobFailed):
                log.warning("%s; using %s instead", reply.reason, FALLBACK, extra=fields(encoder=asked.encoder))
                self._encoding = fallback
            self._is_settled = True

    def _carry_out(self, worker: "_Worker", job: Job) -> JobDone | JobFailed | None:
        """The job's outcome; `None` when the pool is closed meanwhile."""
        about = fields(event_id=job.event_id, camera_id=job.camera_id)
        attempt = 1
        while True:
            outcome = self._attempt(worker, job)
            if not isinstance(outcome, JobFailed):
                return outcome
            if job.part is not None:
                job.part.unlink(missing_ok=True)
            log.warning(
                "encoding failed: %s", outcome.reason, extra={"fields": {**about["fields"], "attempt": attempt}}
            )
            if outcome.is_for_space:
                if self._closing.wait(SPACE_RETRY_S):
                    return None
                continue
            if attempt == TRIES or not job.original.exists():
                return outcome
            attempt += 1

    def _attempt(self, worker: "_Worker", job: Job) -> JobDone | JobFailed | None:
        try:
            hundreds = job.original.stat().st_size // TIMEOUT_PER_BYTES
            outcome = worker.ask((job, self._encoding), self._timeout_s * (1 + hundreds))
        except Exception as err:
            worker.end()
            return JobFailed(f"{type(err).__name__}: {err}"[:500])
        assert not isinstance(outcome, Usable)
        return outcome

    def _tell(self, job: Job, outcome: JobDone | JobFailed) -> None:
        try:
            self._on_end(job, outcome)
        except Exception:
            # The clip stays saved, and the job is done again at the next start.
            log.exception("job's end not taken up", extra=fields(event_id=job.event_id, camera_id=job.camera_id))


class _Worker:
    """A worker process, made when first needed and again after it died. Used by one thread."""

    def __init__(self, closing: threading.Event) -> None:
        self._closing = closing
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def ask(self, request: Request, timeout_s: float) -> Usable | JobDone | JobFailed | None:
        """The worker's reply; `None` when the pool is closed meanwhile."""
        pipe = self._ensure()
        deadline = time.monotonic() + timeout_s
        try:
            pipe.send(request)
            while not pipe.poll(_STEP_S):
                if self._closing.is_set():
                    self.end()
                    return None
                if time.monotonic() > deadline:
                    self.end()
                    return JobFailed(f"the encoder did not finish within {timeout_s:g} s")
            reply: Usable | JobDone | JobFailed = pipe.recv()
        except (EOFError, OSError):
            process = self._process
            self.end()
            code = process.exitcode if process is not None else None
            return JobFailed(f"the encoder's process died, exit code {code}")
        return reply

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
                target=_work, args=(theirs, os.getpid()), name="preroll-encoder", daemon=True
            )
            self._process.start()
            theirs.close()
        return self._pipe


def _work(pipe: Connection, parent_pid: int) -> None:
    # Here, in the new process: the recorder itself has no use for the decoders and what they bring along.
    from services.recorder.renditions import worker as encode_worker

    encode_worker.work(pipe, parent_pid)

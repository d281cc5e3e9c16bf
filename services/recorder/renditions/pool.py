"""The encoders: worker processes that make renditions and hash files, so that neither can touch the ring.

A job that dies or hangs costs its worker and is tried once more, with libx264 where another encoder failed. A job in hand at
shutdown is lost and, the clip being `saved`, done again at the next start. Jobs are as many as there are clips that are saved
and not ready, and no more. Whatever fails here fails for one job.
"""

import contextlib
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
from preroll.runtime.patience import Patience
from preroll.runtime.threads import Threads
from preroll.turns import take_short_turns
from services.recorder.renditions.jobs import FALLBACK, Encoding, Job, JobDone, JobFailed, Probe, Request, Usable
from services.recorder.store.trouble import Trouble

log = logging.getLogger(__name__)

TRIES: Final = 2
IDLE_S: Final = 10.0  # a worker holds some 50 MB, and starts in a third of a second
FALLBACK_AFTER: Final = 3  # jobs one after the other that only the fallback could do
FALLBACK_FOR_S: Final = 600.0
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
        self._in_hand: list[Job] = []
        self._needed_fallback = 0
        self._fallback_until = 0.0
        self._trouble = Trouble("encoding", again=None)
        self._workers = workers
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()

    @property
    def waiting(self) -> int:
        return self._jobs.qsize()

    @property
    def running(self) -> int:
        return len(self._in_hand)

    def has_in_hand(self, event_id: str) -> bool:
        """Whether a worker is at a job of the event."""
        with self._lock:
            return any(job.event_id == event_id for job in self._in_hand)

    @property
    def encoder(self) -> str:
        """The encoder in use: the one asked for, or the fallback while that has proved unusable."""
        encoding = self._encoding_now()
        return "none" if encoding is None else encoding.encoder

    def start(self, threads: Threads) -> None:
        """Try the encoder, fall back to libx264 when it cannot be used, and begin with the jobs. Does not wait."""
        self._threads = [threads.start(f"encoder-{number}", self._serve) for number in range(self._workers)]

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
                self._settle_encoding(worker)
                with self._lock:
                    self._in_hand.append(job)
                try:
                    outcome = self._carry_out(worker, job)
                except Exception as err:
                    log.exception("encoding failed", extra=fields(event_id=job.event_id, camera_id=job.camera_id))
                    outcome = JobFailed(f"{type(err).__name__}: {err}"[:500], "worker")
                finally:
                    with self._lock:
                        self._in_hand.remove(job)
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
            reply = _asked(worker, Probe(asked), PROBE_TIMEOUT_S)
            if isinstance(reply, JobFailed) and reply.cause == "worker":
                return  # which says nothing of the encoder: with the next job
            if isinstance(reply, JobFailed):
                log.warning("%s; using %s instead", reply.reason, FALLBACK, extra=fields(encoder=asked.encoder))
                self._encoding = asked.fallback
            self._is_settled = True

    def _encoding_now(self) -> Encoding | None:
        """The encoding to begin a job with."""
        if self._encoding is not None and time.monotonic() < self._fallback_until:
            return self._encoding.fallback
        return self._encoding

    def _carry_out(self, worker: "_Worker", job: Job) -> JobDone | JobFailed | None:
        """The job's outcome; `None` when the pool is closed meanwhile."""
        encoding = self._encoding_now()
        attempt = 1
        while True:
            outcome = self._attempt(worker, job, encoding)
            if not isinstance(outcome, JobFailed):
                if outcome is not None:
                    self._trouble.over()
                    self._note_encoder(encoding)
                return outcome
            self._trouble.failed(outcome.reason, event_id=job.event_id, camera_id=job.camera_id, attempt=attempt)
            with contextlib.suppress(OSError):
                if job.part is not None:
                    job.part.unlink(missing_ok=True)
            if not job.original.exists():
                return outcome  # removed meanwhile, as by retention
            if outcome.cause == "space":
                if self._closing.wait(SPACE_RETRY_S):
                    return None
                continue
            if attempt == TRIES or outcome.cause in ("pictures", "worker"):
                return outcome
            attempt += 1
            if encoding is not None and encoding.encoder != FALLBACK:
                encoding = encoding.fallback

    def _note_encoder(self, encoding: Encoding | None) -> None:
        """Whether the encoder asked for does its work; where it has not for a while, the fallback goes first for a time."""
        asked = self._encoding
        if asked is None or encoding is None or time.monotonic() < self._fallback_until:
            return
        with self._lock:
            self._needed_fallback = 0 if encoding == asked else self._needed_fallback + 1
            if self._needed_fallback < FALLBACK_AFTER:
                return
            self._needed_fallback = 0
            self._fallback_until = time.monotonic() + FALLBACK_FOR_S
        log.warning(
            "%s failed for %d clips one after the other; using %s for %g s",
            asked.encoder,
            FALLBACK_AFTER,
            FALLBACK,
            FALLBACK_FOR_S,
        )

    def _attempt(self, worker: "_Worker", job: Job, encoding: Encoding | None) -> JobDone | JobFailed | None:
        try:
            hundreds = job.original.stat().st_size // TIMEOUT_PER_BYTES
        except OSError as err:
            return JobFailed(f"{type(err).__name__}: {err}"[:500], "worker")
        outcome = _asked(worker, (job, encoding), self._timeout_s * (1 + hundreds))
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
        try:
            pipe = self._ensure()
        except (OSError, RuntimeError) as err:  # no descriptor, memory or process is left: that passes
            self.end()
            return JobFailed(f"no encoder process could be started: {err}", "worker")
        patience = Patience(timeout_s, _STEP_S)
        try:
            pipe.send(request)
            while not pipe.poll(_STEP_S):
                if self._closing.is_set():
                    self.end()
                    return None
                if patience.is_over():
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
            with theirs:
                process = context.Process(target=_work, args=(theirs, os.getpid()), name="preroll-encoder", daemon=True)
                process.start()
            self._process = process  # only one that was started can be ended
        return self._pipe


def _asked(worker: _Worker, request: Request, timeout_s: float) -> Usable | JobDone | JobFailed | None:
    """As `_Worker.ask`. Whatever goes wrong with a worker costs that worker, and ends no thread of the recorder."""
    try:
        return worker.ask(request, timeout_s)
    except Exception as err:
        worker.end()
        return JobFailed(f"{type(err).__name__}: {err}"[:500], "worker")


def _work(pipe: Connection, parent_pid: int) -> None:
    # Here, in the new process: the recorder itself has no use for the decoders and what they bring along.
    from services.recorder.renditions import worker as encode_worker

    encode_worker.work(pipe, parent_pid)

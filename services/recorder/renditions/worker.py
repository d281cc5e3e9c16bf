"""A worker process: makes renditions, hashes files, tries encoders, until its pipe is closed.

It is niced, it dies with the recorder, and nothing that happens in a codec here can touch the ring.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from preroll.turns import take_long_turns
from preroll.wire import Scalar
from services.recorder.renditions.encoder import EncoderUnusable, probe, render
from services.recorder.renditions.jobs import Encoding, Job, JobDone, JobFailed, Probe, Request, Usable
from services.recorder.renditions.pictures import NothingDecodable
from services.recorder.store.disk import Disk, StorageFull, cause_of
from services.recorder.store.files import sha256_of

NICENESS: Final = 10
_PR_SET_PDEATHSIG: Final = 1


def work(pipe: Connection, parent_pid: int) -> None:
    """The worker process: requests in, replies out, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with(parent_pid)
    _give_way()
    while True:
        try:
            request: Request = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(_probed(request) if isinstance(request, Probe) else _outcome_of(*request))


def _give_way() -> None:
    """Let every other process go first.

    Niceness counts within a scheduling group. Linux makes a group of each session, and a recorder that encodes would be
    the equal of an API that wakes to answer, which then waits for a tick of the clock.
    """
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    take_long_turns()
    if sys.platform == "linux":
        os.setsid()
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text("19")


def _probed(request: Probe) -> Usable | JobFailed:
    try:
        probe(request.encoding)
    except EncoderUnusable as err:
        return JobFailed(str(err)[:500])
    return Usable()


def _outcome_of(job: Job, encoding: Encoding | None) -> JobDone | JobFailed:
    began = time.monotonic()
    try:
        facts: dict[str, Scalar] = {}
        target_sha256: str | None = None
        with ThreadPoolExecutor(1, "hash") as beside:
            original_sha256 = beside.submit(sha256_of, job.original)
            if job.target is not None and job.part is not None and encoding is not None:
                facts = render(job.original, job.part, encoding).facts(encoding)
                target_sha256 = sha256_of(job.part)
                job.part.replace(job.target)
                Disk().sync_folder(job.target.parent)
            return JobDone(target_sha256, original_sha256.result(), facts, time.monotonic() - began)
    except StorageFull as err:
        return JobFailed(str(err), "space")
    except NothingDecodable as err:
        return JobFailed(str(err), "pictures")
    except OSError as err:  # PyAV's errors of the system are such, too
        return JobFailed(f"{cause_of(err)}: {type(err).__name__}: {err}"[:500])
    except MemoryError:
        return JobFailed("the system has no memory left")
    except Exception as err:
        return JobFailed(f"{type(err).__name__}: {err}"[:500])


def _die_with(parent_pid: int) -> None:
    """Have the kernel end this process when the recorder is gone, also after a kill -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:
            os._exit(1)

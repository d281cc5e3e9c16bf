"""The programs beside the services: feeders and peers, each a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.footage import FPS, REPOSITORY
from bench.schedule import Feed
from tests.support.waiting import wait_until

END_S: Final = 15.0


class Program:
    """Runs `command` for as long as the block lasts; killed when it does not end by itself."""

    def __init__(self, command: list[str], log_path: Path) -> None:
        self._command = command
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=REPOSITORY, env=dict(os.environ), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def check(self) -> None:
        """Fails when the program has ended."""
        assert self._process is not None
        assert self._process.poll() is None, f"{self._command} has ended: {self._log_path.read_text()[-2000:]}"

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Feeder(Program):
    """A process of `bench.feeders`; `feed` is what it says, complete once it was stopped."""

    def __init__(self, kind: str, frames: Path, folder: Path, *where: str) -> None:
        self._state = folder / f"{kind}-feed.json"
        command = [sys.executable, "-m", "bench.feeders", kind, str(frames), str(FPS), str(self._state), *where]
        super().__init__(command, folder / f"{kind}-feeder.log")

    def __enter__(self) -> Self:
        super().__enter__()

        def is_there() -> bool:
            self.check()
            return self._state.exists()

        wait_until(is_there, 30, "the feeder feeds")
        return self

    @property
    def feed(self) -> Feed:
        return Feed.read(self._state)

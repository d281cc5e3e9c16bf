"""`make run`, as a person at a terminal uses it."""

import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.judging import codec_of, judge, window_of
from tests.support.processes import REPOSITORY, System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

MARK = "PREROLL_TEST_MARK"


class Terminal:
    """`make run` in a process group of its own, as a shell would start it."""

    def __init__(self, folder: Path, system: System, cameras: int) -> None:
        self.system = system
        self.mark = uuid.uuid4().hex
        self.output = system.folder / "make.log"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                ["make", "run", f"CAMERAS={cameras}", f"PORT={system.http_port}"],
                cwd=folder,
                env={**system.environment(), MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def press_ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def processes(self) -> list[int]:
        """All that were started from here and still run."""
        found: list[int] = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found


@contextmanager
def make_run(folder: Path, tmp_path: Path, cameras: int) -> Iterator[Terminal]:
    system = System(tmp_path)
    terminal = Terminal(folder, system, cameras)
    try:
        yield terminal
    except BaseException as err:
        err.add_note(terminal.text()[-8000:])
        raise
    finally:
        system.http.close()
        for pid in terminal.processes():
            os.kill(pid, signal.SIGKILL)
        terminal.process.wait()


def ready(terminal: Terminal) -> bool:
    assert terminal.process.poll() is None, terminal.text()
    answer = terminal.system.get("/readyz")
    return answer is not None and answer.status_code == 200


def end_by_ctrl_c(terminal: Terminal, services: int) -> None:
    began_s = time.monotonic()
    terminal.press_ctrl_c()
    terminal.process.wait(10)
    assert time.monotonic() - began_s < 10
    wait_until(lambda: not terminal.processes(), 1, "no orphan")
    codes = re.findall(r"(\S+) stopped \(rc=(-?\d+)\)", terminal.text())
    assert len(codes) == services, codes
    assert {code for _, code in codes} == {"0"}, codes


def test_make_run_records_and_ends_cleanly(tmp_path: Path) -> None:
    with make_run(REPOSITORY, tmp_path, cameras=2) as terminal:
        wait_until(lambda: ready(terminal), 60, "ready")
        system = terminal.system
        system.wait_live("cam1", "cam2")
        system.wait_ring(6, "cam1", "cam2")
        event = system.wait_state(system.trigger()["event_id"], "ready")
        for clip in event["clips"]:
            assert clip["complete"] is True, clip
            file = system.download(clip["files"]["clip"]["url"], tmp_path / f"{clip['camera_id']}.mp4")
            assert codec_of(file) == ("h264", "yuv420p")
            judge(file, window_of(event))
        end_by_ctrl_c(terminal, services=4)


def test_a_fresh_clone_needs_no_other_command(tmp_path: Path) -> None:
    if not os.environ.get("PREROLL_TEST_EVERYTHING"):
        pytest.skip("installs the requirements anew: set PREROLL_TEST_EVERYTHING to run it")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", REPOSITORY, clone], check=True)
    try:
        with make_run(clone, tmp_path, cameras=1) as terminal:
            wait_until(lambda: ready(terminal), 200, "ready")
            end_by_ctrl_c(terminal, services=3)
    finally:
        shutil.rmtree(clone)


def test_make_alone_prints_what_there_is() -> None:
    told = subprocess.run(["make"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    for target in ("run", "test", "check", "lint", "type", "format", "lock", "up", "down", "logs", "clean"):
        assert re.search(rf"^ +{target} ", told, re.MULTILINE), target


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start("api")
        wait_until(lambda: system.get("/healthz") is not None, 20)
        other = system.start("api", "second")
        assert other.wait(20) != 0
        assert str(system.http_port) in other.log_text() or "address" in other.log_text().lower()
        del system.services["second"]

from pathlib import Path

import pytest

from services.capture.health import is_running


def process(proc: Path, pid: int, command: str, state: str) -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cmdline").write_bytes(b"\0".join(part.encode() for part in command.split()) + b"\0")
    (folder / "stat").write_text(f"{pid} (python (x) y) {state} 1 1")


@pytest.mark.parametrize(
    ("command", "state", "expected"),
    [
        ("python -m services.capture", "S", True),
        ("python -m services.capture", "R", True),
        ("python -m services.capture", "T", False),
        ("python -m services.capture", "Z", False),
        ("python -m services.capture.health", "R", False),
        ("docker-init -- python -m services.capture", "S", False),
    ],
)
def test_a_capture_is_healthy_while_its_process_runs(tmp_path: Path, command: str, state: str, expected: bool) -> None:
    process(tmp_path, 7, command, state)
    assert is_running(tmp_path) is expected

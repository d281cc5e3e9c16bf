"""`preroll keys`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from preroll.keys import Keys
from tests.support.answering import answers

Run = Callable[..., Any]


def test_the_services_get_keys_and_their_paths_are_told(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "keys"
    ended = run(answers({}), "keys", str(folder))
    assert ended.exit_code == 0
    told = {Path(line) for line in ended.stdout.splitlines()}
    assert told == {path for path in folder.rglob("*") if path.is_file()}
    assert Keys.load(folder, "recorder").toward("api").own != Keys.load(folder, "api").toward("api").own


def test_keys_are_made_for_each_name(run: Run, tmp_path: Path) -> None:
    assert run(answers({}), "keys", str(tmp_path), "door", "press").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["door", "press", "public"]


def test_keys_that_are_there_are_never_overwritten(run: Run, tmp_path: Path) -> None:
    assert run(answers({}), "keys", str(tmp_path)).exit_code == 0
    ended = run(answers({}), "keys", str(tmp_path), "door", "api")
    assert ended.exit_code == 4
    assert "api/server.secret is there already" in ended.stderr
    assert not (tmp_path / "door").exists()


def test_a_name_cannot_leave_the_folder(run: Run, tmp_path: Path) -> None:
    assert run(answers({}), "keys", str(tmp_path), "../evil").exit_code == 2


def test_without_pyzmq_the_message_says_what_to_install(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    ended = run(answers({}), "keys", str(tmp_path))
    assert ended.exit_code == 1
    assert ended.stderr == "preroll: keys needs pyzmq, which is not installed here: pip install pyzmq\n"

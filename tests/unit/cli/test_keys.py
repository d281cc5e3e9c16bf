"""`preroll keys`."""

import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.support.answering import answers

Run = Callable[..., Any]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_keys_are_pairs_and_the_secret_ones_are_their_owners_alone(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "keys"
    ended = run(answers({}), "keys", str(folder))
    assert ended.exit_code == 0
    names = ["server.public", "server.secret", "client.public", "client.secret"]
    assert ended.stdout.splitlines() == [str(folder / name) for name in names]
    for name in ("server", "client"):
        secret = (folder / f"{name}.secret").read_bytes()
        assert zmq.curve_public(secret.strip()) == (folder / f"{name}.public").read_bytes().strip()
        assert mode_of(folder / f"{name}.secret") == 0o600
        assert mode_of(folder / f"{name}.public") & 0o022 == 0
    assert mode_of(folder) == 0o700


def test_a_pair_is_made_for_each_name(run: Run, tmp_path: Path) -> None:
    assert run(answers({}), "keys", str(tmp_path), "door", "press").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "door.public",
        "door.secret",
        "press.public",
        "press.secret",
    ]


def test_keys_that_are_there_are_never_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "client.public").write_text("mine")
    ended = run(answers({}), "keys", str(tmp_path))
    assert ended.exit_code == 4
    assert "client.public is there already" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["client.public"]


def test_a_name_cannot_leave_the_folder(run: Run, tmp_path: Path) -> None:
    assert run(answers({}), "keys", str(tmp_path), "../evil").exit_code == 2


def test_without_pyzmq_the_message_says_what_to_install(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    ended = run(answers({}), "keys", str(tmp_path))
    assert ended.exit_code == 1
    assert ended.stderr == "preroll: keys needs pyzmq, which is not installed here: pip install pyzmq\n"

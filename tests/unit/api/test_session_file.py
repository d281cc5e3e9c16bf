"""Who has signed out stays out, whatever becomes of the file: in doubt, everybody signs in again."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from services.api import session_file
from services.api.session_file import NAME, SessionFile, SignOutNotKept


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    SessionFile(tmp_path).sign_out("look", "a")
    assert (tmp_path / NAME).stat().st_mode & 0o077 == 0
    assert os.listdir(tmp_path) == [NAME]


def test_roles_are_apart(tmp_path: Path) -> None:
    SessionFile(tmp_path).sign_out("look", "a")
    file = SessionFile(tmp_path)
    assert (file.is_signed_out("look", "a"), file.is_signed_out("operate", "a")) == (True, False)


DAMAGE: Final[dict[str, Callable[[str], str]]] = {
    "no last line break": lambda text: text[:-1],
    "a torn line": lambda text: text[:-9],
    "an empty object": lambda text: text + "{}\n",
    "no object": lambda text: text + "[1]\n",
    "an unknown role": lambda text: text + '{"role": "none", "signed_out": "b"}\n',
    "an epoch less": lambda text: text.partition("\n")[2],
    "nothing": lambda _: "",
    "no text": lambda _: "é\x00\n",
    "far too much": lambda text: text * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_cannot_be_read_whole_begins_new_epochs(tmp_path: Path, damage: str) -> None:
    before = SessionFile(tmp_path)
    before.sign_out("operate", "a")
    path = tmp_path / NAME
    path.write_text(DAMAGE[damage](path.read_text()), encoding="utf-8")
    after = SessionFile(tmp_path)
    assert {role: after.epoch(role) == before.epoch(role) for role in ("operate", "look")} == dict.fromkeys(
        ("operate", "look"), False
    )
    again = SessionFile(tmp_path)
    assert again.epoch("operate") == after.epoch("operate")


def test_where_nothing_can_be_written_each_start_is_a_new_epoch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file")
    one, other = SessionFile(tmp_path / "state"), SessionFile(tmp_path / "state")
    one.sign_out("look", "a")
    assert one.is_signed_out("look", "a")
    assert one.epoch("look") != other.epoch("look")
    assert sum("sign-outs cannot be kept" in message for message in caplog.messages) == 2


def test_a_file_that_can_only_be_read_is_not_believed_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = SessionFile(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(session_file, "_append", refuse)
    assert SessionFile(tmp_path).epoch("look") != before.epoch("look")


def test_a_sign_out_that_could_not_be_written_is_told_and_written_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = SessionFile(tmp_path)
    with monkeypatch.context() as failing:

        def fail(_: int) -> None:
            raise OSError(28, "No space left on device")

        failing.setattr(os, "fsync", fail)
        for _ in range(2):  # the same again is no better
            with pytest.raises(SignOutNotKept, match=r"sessions\.jsonl cannot be written: No space left on device"):
                file.sign_out("operate", "a")
    assert file.is_signed_out("operate", "a")
    file.sign_out("operate", "a")
    assert SessionFile(tmp_path).is_signed_out("operate", "a")
    assert SessionFile(tmp_path).epoch("operate") == file.epoch("operate")


def test_where_more_have_signed_out_than_are_remembered_all_of_that_role_sign_in_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_file, "SIGNED_OUT_MAX", 5)
    file = SessionFile(tmp_path)
    before = {role: file.epoch(role) for role in ("operate", "look")}
    for number in range(5):
        file.sign_out("look", f"{number}")
    assert file.epoch("look") == before["look"]
    file.sign_out("look", "one more")
    after = SessionFile(tmp_path)
    assert after.epoch("look") == file.epoch("look") != before["look"]
    assert after.epoch("operate") == before["operate"]


def test_two_that_share_a_folder_keep_one_anothers(tmp_path: Path) -> None:
    one, other = SessionFile(tmp_path), SessionFile(tmp_path)
    one.sign_out("look", "a")
    other.sign_out("look", "b")
    after = SessionFile(tmp_path)
    assert after.is_signed_out("look", "a")
    assert after.is_signed_out("look", "b")

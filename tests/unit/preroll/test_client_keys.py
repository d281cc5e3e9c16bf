"""The folder of those who are let in, as it changes."""

import os
import sys
from pathlib import Path

import pytest
import zmq

from preroll import keys
from preroll.keys import KeysUnusable
from preroll.security.client_keys import ClientFiles


@pytest.fixture
def public(tmp_path: Path) -> Path:
    keys.write_pairs(tmp_path, ["door", "press"])
    return tmp_path / "public"


def test_nothing_has_changed_is_the_same_object(public: Path) -> None:
    files = ClientFiles(public)
    assert files.read() is files.read()
    os.utime(public / "door.client")
    assert files.read() is files.read()


def test_a_key_that_is_added_replaced_or_removed_is_seen(public: Path) -> None:
    files = ClientFiles(public)
    before = files.read()
    keys.write_pairs(public.parent, ["hall"])
    assert files.read().names == {"door", "press", "hall"}
    other = zmq.curve_keypair()[0]
    (public / "door.client").write_bytes(other + b"\n")
    assert files.read().by_key[other.decode()] == "door"
    assert before.key_of("door") not in files.read().by_key
    (public / "press.client").unlink()
    assert files.read().names == {"door", "hall"}
    assert files.read().key_of("press") is None


def test_a_file_that_cannot_be_used_costs_its_own_name_alone(public: Path) -> None:
    files = ClientFiles(public)
    (public / "hall.client").write_bytes(b"")
    (public / "yard.client").mkdir()
    (public / "attic.client").write_bytes(b"~" * 40)
    (public / "gone.client").symlink_to(public / "nothing")
    if sys.platform != "win32":
        os.mkfifo(public / "pipe.client")
    clients = files.read()
    assert set(clients.by_key.values()) == {"door", "press"}
    unusable = clients.names - {"door", "press"}
    assert unusable >= {"hall", "yard", "attic", "gone"}  # their names are taken: nobody speaks in their place
    assert len(clients.faults) == len(unusable)
    assert "~~" not in " ".join(clients.faults)


def test_who_was_known_stays_known_when_his_file_cannot_be_read_for_a_while(public: Path) -> None:
    files = ClientFiles(public)
    key = files.read().key_of("door")
    target = public / "door.client"
    content = target.read_bytes()
    target.unlink()
    target.symlink_to(public / "a disk that is away")
    assert files.read().key_of("door") == key
    assert "door.client cannot be read" in files.read().faults[0]
    target.unlink()
    target.write_bytes(content)
    assert (files.read().key_of("door"), files.read().faults) == (key, ())


def test_links_are_followed(public: Path) -> None:
    (public / "door.client").rename(public / "data")
    (public / "door.client").symlink_to("data")
    assert ClientFiles(public).read().key_of("door")


@pytest.mark.parametrize("odd", ["Door", "door copy", "door.old", "-x", ".hidden", "x" * 64, "tür"])
def test_a_file_whose_name_names_no_key_lets_nobody_in(public: Path, odd: str) -> None:
    (public / f"{odd}.client").write_bytes(zmq.curve_keypair()[0])
    clients = ClientFiles(public).read()
    assert set(clients.by_key.values()) == clients.names == {"door", "press"}
    assert "names no key" in clients.faults[0]


def test_one_key_under_two_names_is_nobodys(public: Path) -> None:
    (public / "hall.client").write_bytes((public / "door.client").read_bytes())
    clients = ClientFiles(public).read()
    assert set(clients.by_key.values()) == {"press"}
    assert "door.client and hall.client hold the same key" in clients.faults[0]


def test_a_folder_that_is_gone_is_stated(public: Path) -> None:
    files = ClientFiles(public)
    files.read()
    public.rename(public.parent / "elsewhere")
    with pytest.raises(KeysUnusable, match="public cannot be read: No such file"):
        files.read()

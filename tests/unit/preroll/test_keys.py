import stat
import sys
from pathlib import Path

import pytest

from preroll import keys
from preroll.addresses import stays_on_this_machine
from preroll.keys import Keys, KeysExist, KeysUnusable
from preroll.security.client_keys import ClientFiles
from preroll.settings import SettingsError
from services.api.settings import ApiSettings
from services.capture import own_key
from services.capture.settings import CaptureSettings
from services.recorder.settings import RecorderSettings

Settings = type[ApiSettings] | type[CaptureSettings] | type[RecorderSettings]

BINDS: list[tuple[Settings, str]] = [
    (RecorderSettings, "PREROLL_RECORDER_FRAMES_BIND"),
    (RecorderSettings, "PREROLL_RECORDER_CONTROL_BIND"),
    (RecorderSettings, "PREROLL_RECORDER_QUERY_BIND"),
    (ApiSettings, "PREROLL_API_BUS_BIND"),
    (CaptureSettings, "PREROLL_CAPTURE_FRAMES_BIND"),
]


def test_a_service_reads_what_was_written(tmp_path: Path) -> None:
    keys.write_pairs(tmp_path)
    recorder, api = (Keys.load(tmp_path, name) for name in ("recorder", "api"))
    assert api.toward("recorder").server_public == recorder.server.public
    clients = ClientFiles(tmp_path / "public").read()
    assert clients.key_of("recorder") == recorder.client.public.decode()
    assert set(clients.by_key.values()) == clients.names == {"recorder", "api", "capture"}


def test_secrets_are_their_owners_alone_and_all_differ(tmp_path: Path) -> None:
    written = keys.write_pairs(tmp_path / "new", ["door", "press"])
    secrets = [path for path in written if path.suffix == ".secret"]
    assert len(secrets) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in secrets} == {0o700}
    assert len({path.read_bytes() for path in written}) == 8


def test_keys_that_are_there_are_never_overwritten(tmp_path: Path) -> None:
    written = {path: path.read_bytes() for path in keys.write_pairs(tmp_path)}
    with pytest.raises(KeysExist, match="is there already"):
        keys.write_pairs(tmp_path, ["door", "api"])
    assert {path: path.read_bytes() for path in written} == written
    assert not (tmp_path / "door").exists()


@pytest.mark.parametrize("name", ["", "../evil", "public", "Door", "a/b", "-x", "x" * 64])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no name for keys"):
        keys.write_pairs(tmp_path, [name])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["recorder/server.secret", "recorder/client.secret", "public/api.server"])
def test_a_missing_or_damaged_file_is_named_and_its_content_never_shown(tmp_path: Path, file: str) -> None:
    keys.write_pairs(tmp_path)
    (tmp_path / file).write_bytes(b"~" * 40)
    with pytest.raises(KeysUnusable, match=f"{file} holds no key") as damaged:
        Keys.load(tmp_path, "recorder")
    assert "~~" not in str(damaged.value)
    (tmp_path / file).unlink()
    with pytest.raises(KeysUnusable, match=f"{file} cannot be read: No such file"):
        Keys.load(tmp_path, "recorder")


def test_a_pair_never_shows_its_secret(tmp_path: Path) -> None:
    keys.write_pairs(tmp_path)
    loaded = Keys.load(tmp_path, "api")
    assert loaded.server.secret.decode() not in repr(loaded)


@pytest.mark.parametrize(
    ("address", "stays"),
    [
        ("tcp://127.0.0.1:5550", True),
        ("tcp://localhost:*", True),
        ("tcp://[::1]:5550", True),
        ("ipc:///run/preroll/frames", True),
        ("tcp://*:5550", False),
        ("tcp://0.0.0.0:5550", False),
        ("tcp://[::]:5550", False),
        ("tcp://192.0.2.1:5550", False),
        ("tcp://eth0:5550", False),
    ],
)
def test_addresses_that_others_reach_are_known(address: str, stays: bool) -> None:
    assert stays_on_this_machine(address) is stays


@pytest.mark.parametrize(("settings", "name"), BINDS)
def test_a_plaintext_bind_beyond_loopback_is_refused_unless_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Settings, name: str
) -> None:
    prefix = "_".join(name.split("_")[:2])
    monkeypatch.setenv(name, "tcp://*:5999")
    with pytest.raises(SettingsError) as refused:
        settings.load()
    assert f"{name}='tcp://*:5999' is reachable from other machines" in str(refused.value)
    assert f"{prefix}_KEYS_DIR" in str(refused.value)
    assert f"{prefix}_ALLOW_PLAINTEXT=true" in str(refused.value)

    monkeypatch.setenv(f"{prefix}_ALLOW_PLAINTEXT", "true")
    assert settings.load().load_keys() is None

    monkeypatch.setenv(f"{prefix}_ALLOW_PLAINTEXT", "false")
    keys.write_pairs(tmp_path)
    monkeypatch.setenv(f"{prefix}_KEYS_DIR", str(tmp_path))
    assert settings.load().load_keys() is not None


def test_keys_that_cannot_be_used_are_refused_at_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PREROLL_RECORDER_KEYS_DIR", str(tmp_path))
    with pytest.raises(SettingsError, match=r"PREROLL_RECORDER_KEYS_DIR='.*': .*server\.secret cannot be read"):
        RecorderSettings.load()


@pytest.mark.skipif(sys.platform == "win32", reason="there the mode says nothing")
def test_files_that_everybody_can_read_or_write_are_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    keys.write_pairs(tmp_path)
    loaded = Keys.load(tmp_path, "capture")
    assert loaded.exposed() == []
    (tmp_path / "capture" / "client.secret").chmod(0o644)
    (tmp_path / "public").chmod(0o777)
    assert loaded.exposed() == [
        f"{tmp_path}/capture/client.secret has mode 0644: everybody on this machine may read it",
        f"{tmp_path}/public has mode 0777: everybody on this machine may write it",
    ]


def test_a_camera_takes_its_own_keys_where_there_are_some(tmp_path: Path) -> None:
    keys.write_pairs(tmp_path, ["recorder", "api", "capture", "door", "hall-2"])
    used = {
        camera_id: own_key.load(tmp_path, camera_id).name
        for camera_id in ("door", "door-3", "hall-2", "hall-3", "yard", "public", "api", "recorder")
    }
    assert used == {
        "door": "door",
        "door-3": "door",
        "hall-2": "hall-2",
        "hall-3": "capture",
        "yard": "capture",
        "public": "capture",
        "api": "capture",
        "recorder": "capture",
    }


def test_a_capture_knows_that_its_key_is_anothers(tmp_path: Path) -> None:
    keys.write_pairs(tmp_path, ["recorder", "api", "capture", "door"])
    (tmp_path / "door").rename(tmp_path / "given to door alone")
    shared = own_key.load(tmp_path, "door")
    assert shared.name == "capture"
    assert own_key.why_foreign(shared, "door") == (
        f"key 'capture' does not speak for camera 'door', for which the key 'door' does: give {tmp_path}/door, made by"
        f" `preroll keys {tmp_path} door`, to its capture"
    )
    assert own_key.why_foreign(shared, "yard") is None
    (tmp_path / "public" / "capture.client").unlink()  # this machine's copy of the folder is an older one
    assert own_key.why_foreign(shared, "door") is None

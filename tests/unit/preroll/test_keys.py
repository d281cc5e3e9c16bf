import stat
from pathlib import Path

import pytest

from preroll import keys
from preroll.addresses import stays_on_this_machine
from preroll.keys import Keys, KeysExist, KeysUnusable
from preroll.settings import SettingsError
from services.api.settings import ApiSettings
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
    assert api.clients()[recorder.client.public] == "recorder"
    assert set(api.clients().values()) == {"recorder", "api", "capture"}


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

import pytest

from preroll.settings import SettingsError
from services.capture import identity
from services.capture.settings import CaptureSettings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "replica_name", lambda: "preroll-capture-3.preroll_default")


def test_the_defaults_make_a_single_machine_work() -> None:
    settings = CaptureSettings.load()
    assert settings.source == "synthetic:"
    assert (settings.width, settings.height, settings.fps, settings.jpeg_quality) == (1280, 720, 30, 85)
    assert settings.frames_connect == "tcp://127.0.0.1:5550"
    assert settings.frames_bind is None
    assert settings.bus_connect == "tcp://127.0.0.1:5552"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CAMERA_ID", "Front Door", r"PREROLL_CAPTURE_CAMERA_ID='Front Door': .*\^\[a-z0-9\]"),
        ("CAMERA_ID", "a" * 64, r"PREROLL_CAPTURE_CAMERA_ID="),
        ("FPS", "0", r"PREROLL_CAPTURE_FPS='0': .*0\.1"),
        ("WIDTH", "100000", r"PREROLL_CAPTURE_WIDTH='100000': .*8192"),
        ("JPEG_QUALITY", "101", r"PREROLL_CAPTURE_JPEG_QUALITY='101': .*100"),
        ("READ_TIMEOUT_S", "1000", r"PREROLL_CAPTURE_READ_TIMEOUT_S='1000': .*120"),
        ("SOURCE", "/no/such/file.mp4", r"PREROLL_CAPTURE_SOURCE='/no/such/file\.mp4': .*file that exists"),
        ("SOURCE", "rtps://admin:s3cret@cam/", r"PREROLL_CAPTURE_SOURCE='rtps://admin:\*\*\*@cam/'"),
        ("SOURCE", "ftp://camera/", r"PREROLL_CAPTURE_SOURCE='ftp://camera/'"),
        ("FRAMES_CONNECT", "localhost:5550", r"PREROLL_CAPTURE_FRAMES_CONNECT='localhost:5550'"),
        ("WATCHDOG_S", "5", r"PREROLL_CAPTURE_WATCHDOG_S=5: must exceed the open and read timeouts \(10 s\) by 1 s"),
        ("FRAMERATE", "30", r"PREROLL_CAPTURE_FRAMERATE: no such setting"),
    ],
)
def test_what_cannot_work_is_refused_by_name_value_and_limit(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"PREROLL_CAPTURE_{name}", value)
    with pytest.raises(SettingsError, match=message):
        CaptureSettings.load()


@pytest.mark.parametrize(
    "source",
    ["synthetic:", "/dev/video0", "/dev/v4l/by-id/usb-cam", "rtsp://a/b", "http://a/b", "https://a/b", __file__],
)
def test_every_documented_kind_of_source_is_accepted(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setenv("PREROLL_CAPTURE_SOURCE", source)
    assert CaptureSettings.load().source == source


def test_a_name_too_long_for_a_file_is_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREROLL_CAPTURE_SOURCE", "x" * 2000)
    with pytest.raises(SettingsError, match="file that exists"):
        CaptureSettings.load()


def test_without_a_camera_id_the_replicas_name_is_it() -> None:
    assert CaptureSettings.load().camera_id == "capture-3"

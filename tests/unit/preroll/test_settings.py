from typing import Annotated

import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from preroll.settings import LogLevel, ServiceSettings, SettingsError, ZmqAddress


class SampleSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="PREROLL_SAMPLE_")

    ring_s: Annotated[float, Field(ge=1, le=3600)] = 30
    bus_connect: ZmqAddress = "tcp://127.0.0.1:5552"
    log_level: LogLevel = "INFO"


def test_without_environment_the_defaults_hold() -> None:
    assert SampleSettings.load().ring_s == 30


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREROLL_SAMPLE_RING_S", "12.5")
    assert SampleSettings.load().ring_s == 12.5


def test_an_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREROLL_SAMPLE_RING_S", "")
    assert SampleSettings.load().ring_s == 30


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [("RING_S", "0.5", "greater than or equal to 1"), ("RING_S", "x", "number"), ("BUS_CONNECT", "udp://x", "pattern")],
)
def test_a_wrong_value_is_named_with_its_limit(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, limit: str
) -> None:
    monkeypatch.setenv(f"PREROLL_SAMPLE_{name}", value)
    with pytest.raises(SettingsError) as caught:
        SampleSettings.load()
    assert f"PREROLL_SAMPLE_{name}={value!r}" in str(caught.value)
    assert limit in str(caught.value)


def test_an_unknown_name_is_refused_with_those_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREROLL_SAMPLE_RINGS", "5")
    with pytest.raises(
        SettingsError, match=r"PREROLL_SAMPLE_RINGS: no such setting; known are .*PREROLL_SAMPLE_RING_S"
    ):
        SampleSettings.load()


def test_the_value_of_an_unknown_name_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREROLL_SAMPLE_KYE", "a-key-whose-name-was-mistyped")
    with pytest.raises(SettingsError) as caught:
        SampleSettings.load()
    assert "PREROLL_SAMPLE_KYE" in str(caught.value)
    assert "mistyped" not in str(caught.value)


def test_every_fault_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREROLL_SAMPLE_RINGS", "5")
    monkeypatch.setenv("PREROLL_SAMPLE_RING_S", "-5")
    monkeypatch.setenv("PREROLL_SAMPLE_LOG_LEVEL", "LOUD")
    with pytest.raises(SettingsError) as caught:
        SampleSettings.load()
    assert len(str(caught.value).splitlines()) == 3


def test_another_services_names_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREROLL_OTHER_RINGS", "5")
    SampleSettings.load()


def test_a_fault_ends_the_process_with_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREROLL_SAMPLE_RING_S", "0")
    with pytest.raises(SystemExit) as caught:
        SampleSettings.load_or_exit()
    assert caught.value.code == 2
    assert "PREROLL_SAMPLE_RING_S='0'" in capsys.readouterr().err

import hmac
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preroll.addresses import is_loopback
from preroll.settings import SettingsError
from services.api.access import FAILURES_MAX, FAILURES_WINDOW_S, SESSION_S, Failures, Keys, Sessions
from services.api.exposure import MalformedHost, cannot_be_rebound, name_in
from services.api.session_file import SessionFile
from services.api.settings import ApiSettings

OPERATE = "operate-" + "o" * 16
LOOK = "looking-" + "l" * 16


@pytest.fixture
def file(tmp_path: Path) -> SessionFile:
    return SessionFile(tmp_path)


def test_a_key_gives_its_role_and_no_other_text_any() -> None:
    keys = Keys(OPERATE, LOOK)
    assert keys.role_of(OPERATE) == "operate"
    assert keys.role_of(LOOK) == "look"
    for wrong in ("", OPERATE[:-1], OPERATE + " ", "é", LOOK.upper()):
        assert keys.role_of(wrong) is None


@pytest.mark.parametrize("presented", ["", "o", OPERATE[:-1], OPERATE, LOOK, "é" * 5000])
def test_every_key_is_compared_in_full_and_in_constant_time_whatever_is_presented(
    monkeypatch: pytest.MonkeyPatch, presented: str
) -> None:
    compared: list[tuple[int, int]] = []

    def constant_time(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr("services.api.access.hmac", SimpleNamespace(compare_digest=constant_time, digest=hmac.digest))
    Keys(OPERATE, LOOK).role_of(presented)
    assert compared == [(32, 32), (32, 32)]  # digests: their length tells nothing of the key's


def test_a_cookie_carries_its_role_until_it_expires(file: SessionFile) -> None:
    sessions = Sessions(Keys(OPERATE, LOOK), file)
    cookie = sessions.cookie_for("look", 1000)
    assert sessions.role_of(cookie, 1000) == "look"
    assert sessions.role_of(cookie, 1000 + SESSION_S) is None


def test_a_cookie_cannot_be_raised_forged_or_carried_over_to_another_key(file: SessionFile) -> None:
    sessions = Sessions(Keys(OPERATE, LOOK), file)
    cookie = sessions.cookie_for("look", 1000)
    assert sessions.role_of(cookie.replace("look", "operate", 1), 1000) is None
    assert sessions.role_of(cookie[:-1] + ("A" if cookie[-1] != "A" else "B"), 1000) is None
    assert Sessions(Keys(OPERATE, LOOK[::-1]), file).role_of(cookie, 1000) is None
    for hostile in ("", ".", "look", "look.x.y.z", "look..", "é.1.2.3"):
        assert sessions.role_of(hostile, 1000) is None


def test_a_session_outlives_a_restart_and_so_does_its_end(tmp_path: Path) -> None:
    def started() -> Sessions:
        return Sessions(Keys(OPERATE, LOOK), SessionFile(tmp_path))

    one, other = (started().cookie_for("operate", 1000) for _ in range(2))
    started().sign_out(one)
    for _ in range(2):
        assert started().role_of(one, 1001) is None
        assert started().role_of(other, 1001) == "operate"


def test_only_a_cookie_of_ours_is_signed_out(file: SessionFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.session_file.SIGNED_OUT_MAX", 3)
    sessions = Sessions(Keys(OPERATE, LOOK), file)
    signed_out, other = sessions.cookie_for("operate", 1000), sessions.cookie_for("operate", 1000)
    sessions.sign_out(signed_out)
    for number in range(20):
        sessions.sign_out(f"operate.{10**10}.{number:016x}.{'A' * 43}")
        sessions.sign_out(sessions.cookie_for("look", 1000))  # a viewer's own, as many as he likes
    assert sessions.role_of(signed_out, 1001) is None
    assert sessions.role_of(other, 1001) == "operate"


def test_guessing_is_slow_for_the_one_who_guesses() -> None:
    failures = Failures()
    for number in range(FAILURES_MAX):
        assert failures.wait_s("10.0.0.1", 100) == 0
        failures.note("10.0.0.1", f"guess-{number}", 100)
    assert failures.wait_s("10.0.0.1", 101) == pytest.approx(FAILURES_WINDOW_S - 1)
    assert failures.wait_s("10.0.0.2", 101) == 0
    assert failures.wait_s("10.0.0.1", 100 + FAILURES_WINDOW_S) == 0


def test_the_same_wrong_key_again_is_no_guess() -> None:
    failures = Failures()
    for second in range(3 * FAILURES_MAX):
        failures.note("10.0.0.1", "the key of last year", 100 + second)
        assert failures.wait_s("10.0.0.1", 100 + second) == 0
    for number in range(FAILURES_MAX - 1):
        failures.note("10.0.0.1", f"guess-{number}", 129)
    assert failures.wait_s("10.0.0.1", 129) > 0


def test_wrong_keys_are_not_kept() -> None:
    failures = Failures()
    failures.note("10.0.0.1", OPERATE[:-1], 100)
    assert OPERATE[:-1] not in repr(failures._by_address)
    assert Failures()._salt != Failures()._salt


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "plant.example", "localhost.example"])
def test_what_others_reach_is_no_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("[2001:DB8::7]", True),
        ("localhost", True),
        ("LOCALHOST:", True),
        ("api:8000", True),
        ("preroll_api-1", True),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("localhost.", False),
    ],
)
def test_only_a_name_with_a_dot_can_be_rebound(header: str, expected: bool) -> None:
    assert cannot_be_rebound(name_in(header)) is expected


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            " ",
            ".",
            "..",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a/b",
            "a@localhost",
            "user:pw@localhost",
            "localhost,evil.example",
        ),
        *(
            "[",
            "[::1",
            "::1",
            "[::1]]",
            "[::1]x",
            "[::1]:80:80",
            "[::1%25eth0]",
            "[fe80::1%eth0]",
            "[127.0.0.1]",
            "[v1.x]",
        ),
        *("127.0.0.1:80:evil.example", "localhost:80:80", "localhost:x", "localhost:65536", "localhost:-1", ":80"),
        *(
            "2130706433",
            "0x7f000001",
            "017700000001",
            "127.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "1.2.3.4.5",
            "256.1.1.1",
            "a.7",
        ),
        *("l\xf6calhost", "%6cocalhost", "localhost%00", "localhost\t", "\u2488", "a" * 64, "a." * 150, "\uff11"),
    ],
)
def test_what_is_no_host_is_refused_with_the_value(header: str) -> None:
    with pytest.raises(MalformedHost) as refused:
        name_in(header)
    assert repr(header[:100]) in str(refused.value)


@given(st.text(max_size=60))
def test_any_text_is_a_host_or_refused(header: str) -> None:
    try:
        name = name_in(header)
    except MalformedHost:
        return
    assert name == name.lower()
    assert header.lower().startswith(name) or header.startswith("[")
    cannot_be_rebound(name)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in ApiSettings.model_fields:
        monkeypatch.delenv(f"PREROLL_API_{name.upper()}", raising=False)
    return monkeypatch  # type: ignore[return-value]


@pytest.mark.parametrize(
    "settings",
    [
        {"HOST": "0.0.0.0"},
        {"HOST": "0.0.0.0", "PUBLISHED_ON": "192.0.2.1"},
        {"VIEW_KEY": LOOK},
        {"KEY": "short"},
        {"KEY": OPERATE, "VIEW_KEY": OPERATE},
        {"KEY": OPERATE, "KEY_FILE": "/nowhere"},
        {"KEY_FILE": "/nowhere"},
        {"TLS_CERT": "/nowhere"},
        {"TRUSTED_PROXIES": "10.0.0.1"},
        {"KEY": OPERATE, "TRUSTED_PROXIES": "*"},
        {"KEY": OPERATE, "TRUSTED_PROXIES": "proxy"},
        {"KEY": OPERATE, "TRUSTED_PROXIES": "10.0.0.1, 0.0.0.0/0"},
        {"KEY": OPERATE, "TRUSTED_PROXIES": "10.0.0.1,"},
    ],
)
def test_an_open_door_is_refused_at_start(environment: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        environment.setenv(f"PREROLL_API_{name}", value)
    with pytest.raises(SettingsError, match="PREROLL_API_") as refused:
        ApiSettings.load()
    assert "Value error" not in str(refused.value)  # it is no word for people
    assert OPERATE not in str(refused.value)
    assert "short" not in str(refused.value)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"HOST": "0.0.0.0", "PUBLISHED_ON": "127.0.0.1"},
        {"HOST": "0.0.0.0", "ALLOW_ANONYMOUS": "true"},
        {"HOST": "0.0.0.0", "KEY": OPERATE, "VIEW_KEY": LOOK},
        {"KEY": OPERATE, "TRUSTED_PROXIES": "10.0.0.1, 172.16.0.0/12,::1"},
        {"ALLOW_ANONYMOUS": "true", "TRUSTED_PROXIES": "127.0.0.1"},
    ],
)
def test_a_closed_or_declared_door_is_accepted(environment: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        environment.setenv(f"PREROLL_API_{name}", value)
    assert OPERATE not in repr(ApiSettings.load())

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preroll.addresses import without_password


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:s3cret@10.0.0.5:554/stream1", "rtsp://admin:***@10.0.0.5:554/stream1"),
        ("http://admin:p@ss:w0rd@cam/video", "http://admin:***@cam/video"),
        ("http://admin:a/b?c#d@cam/video", "http://admin:***@cam/video"),
        ("http://cam/video?user=a&password=b&x=1", "http://cam/video?user=a&password=***&x=1"),
        ("http://cam/v?auth_token=abc", "http://cam/v?auth_token=***"),
        ("http://cam:8080/video?width=5", "http://cam:8080/video?width=5"),
        ("rtsp://admin@cam/", "rtsp://admin@cam/"),
        ("/dev/video0", "/dev/video0"),
        ("synthetic:", "synthetic:"),
        ("rtps://admin:s3cret@cam/", "rtps://admin:***@cam/"),
        ("rtsp:/admin:s3cret@cam/", "rtsp:***@cam/"),
        ("admin:s3cret@10.0.0.5/stream1", "admin:***@10.0.0.5/stream1"),
        ("someone@cam", "someone@cam"),
        ("[Errno 2] not found: 'rtsp://u:pw@cam/x'", "[Errno 2] not found: 'rtsp://u:***@cam/x'"),
        ("rtsp://admin:my pass@10.0.0.5/x", "rtsp://admin:***@10.0.0.5/x"),
        ("rtsp://admin: pass @[fe80::1]:554/x", "rtsp://admin:***@[fe80::1]:554/x"),
        ("rtsp://plant admin:my pass@cam/x", "rtsp://plant admin:***@cam/x"),
        ("rtsp://admin@plant:my pass@cam/x", "rtsp://admin@plant:***@cam/x"),
        ("admin:my pass@10.0.0.5/stream1", "admin:***@10.0.0.5/stream1"),
        ("rtsp:/admin:my pass@cam/", "rtsp:***@cam/"),
        ("[rtsp @ 0x5590] method DESCRIBE failed: 401", "[rtsp @ 0x5590] method DESCRIBE failed: 401"),
        ("http://cam:8080/v: [http @ 0x5590] HTTP error 404", "http://cam:8080/v: [http @ 0x5590] HTTP error 404"),
        ("http://u:a b@one/: redirects to http://u:a b@two/", "http://u:***@one/: redirects to http://u:***@two/"),
    ],
)
def test_passwords_are_not_shown(address: str, shown: str) -> None:
    assert without_password(address) == shown


MESSAGES = (
    "{}",
    "{}: the stream has ended",
    "[Errno 1414092869] Immediate exit requested: '{}'",
    "[rtsp @ 0x5590] Could not open {}: [tcp @ 0x55a1] Connection refused",
    "first {} and then http://viewer:other@192.0.2.2/x",
)
PASSWORDS = (
    "my pass", " pass word ", "p@ss w@rd", "a:b c", "a/b c", "a #b", "50 % off", "it's \"quoted\" here", "Schlüssel für Tür",
    "p@ss:w/o#r%d'x\"y", "a?b&c=d e", "[a] b", "//a b", "@ b", "x://y",
)  # fmt: skip


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_no_password_is_shown_in_a_message(scheme: str, password: str, message: str) -> None:
    shown = without_password(message.format(f"{scheme}://admin:{password}@192.0.2.1:554/live"))
    assert shown == without_password(message.format(f"{scheme}://admin:***@192.0.2.1:554/live"))
    assert f"{scheme}://admin:***@192.0.2.1:554/live" in shown
    assert shown == without_password(shown)


@given(st.text(st.characters(exclude_categories=["Zl", "Zp", "C"]), min_size=8).filter(lambda text: "://" not in text))
def test_no_password_is_shown_with_whatever_spaces(password: str) -> None:
    hidden = "~" + password + "~"
    for message in MESSAGES:
        assert hidden not in without_password(message.format(f"rtsp://user:{hidden}@camera.example/stream"))


@given(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=8))
def test_no_password_is_shown_whatever_it_is(password: str) -> None:
    hidden = "~" + password + "~"
    assert hidden not in without_password(f"rtsp://user:{hidden}@camera.example/stream")

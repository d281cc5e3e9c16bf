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
    ],
)
def test_passwords_are_not_shown(address: str, shown: str) -> None:
    assert without_password(address) == shown


@given(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=8))
def test_no_password_is_shown_whatever_it_is(password: str) -> None:
    hidden = "~" + password + "~"
    assert hidden not in without_password(f"rtsp://user:{hidden}@camera.example/stream")

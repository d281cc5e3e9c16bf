"""Fault 21: all kinds of Range against the files of a real clip."""

import re
from collections.abc import Iterator

import pytest

from tests.support.processes import System

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, dict[str, str]]]:
    """A system with one finished clip, and the URL of each of its files."""
    with System(tmp_path_factory.mktemp("ranges")) as system:
        system.start_all("cam1", ring_s=5, keep_original=True)
        system.wait_ring(1, "cam1")
        event = system.wait_state(system.trigger(pre_s=0.5, post_s=0.5)["event_id"], "ready")
        (clip,) = event["clips"]
        yield system, {kind: file["url"] for kind, file in clip["files"].items()}


@pytest.mark.parametrize("kind", ["clip", "original", "poster", "sidecar"])
def test_each_kind_of_range_of_each_file(files: tuple[System, dict[str, str]], kind: str) -> None:
    system, urls = files
    url = urls[kind]
    whole = system.http.get(url)
    data, size, etag = whole.content, len(whole.content), whole.headers["etag"]
    assert (whole.status_code, whole.headers["accept-ranges"], int(whole.headers["content-length"])) == (
        200,
        "bytes",
        size,
    )
    last = size - 1

    one_range = {
        "bytes=0-": (0, last),
        "bytes=0-0": (0, 0),
        f"bytes=0-{last}": (0, last),
        f"bytes=0-{size}": (0, last),
        "bytes=1-10": (1, 10),
        f"bytes={last}-": (last, last),
        f"bytes={last}-{last + 10**15}": (last, last),
        "bytes=-1": (last, last),
        "bytes=-100": (size - 100, last),
        f"bytes=-{size + 1}": (0, last),
        "bytes = 1-10": (1, 10),
        "BYTES=1-10": (1, 10),
        "bytes= 1-10 ,": (1, 10),
        f"bytes=1-10,{size}-": (1, 10),
    }
    for asked, (first, end) in one_range.items():
        answer = system.http.get(url, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, data[first : end + 1]), asked
        assert answer.headers["content-range"] == f"bytes {first}-{end}/{size}", asked
        assert answer.headers["content-type"] == whole.headers["content-type"]
        assert answer.headers["etag"] == etag

    for asked in (f"bytes={size}-", f"bytes={size}-{size + 9}", "bytes=-0", f"bytes={size}-,{size + 5}-"):
        answer = system.http.get(url, headers={"Range": asked})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}"), asked
        assert answer.headers["content-type"] == "application/problem+json"

    ignored = (
        *(
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=1--2",
            "bytes=0x0-0x9",
            "items=0-9",
            "bytes:0-9",
        ),
        *("bytes=" + "9" * 40 + "-", "bytes=" + ",".join(["0-1"] * 17), "bytes=" + ",".join(["0-"] * 16), "bytes=+1-2"),
    )
    for asked in ignored:
        answer = system.http.get(url, headers={"Range": asked})
        assert (answer.status_code, answer.content == data) == (200, True), asked

    for if_range, status in (
        (etag, 206),
        (f"W/{etag}", 200),
        ('"another"', 200),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 200),
    ):
        answer = system.http.get(url, headers={"Range": "bytes=1-10", "If-Range": if_range})
        assert answer.status_code == status, if_range


def test_several_ranges_come_as_parts(files: tuple[System, dict[str, str]]) -> None:
    system, urls = files
    data = system.http.get(urls["clip"]).content
    answer = system.http.get(urls["clip"], headers={"Range": "bytes=0-9,100-109,-5"})
    assert answer.status_code == 206
    assert int(answer.headers["content-length"]) == len(answer.content)
    boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", answer.headers["content-type"])
    assert boundary is not None
    parts = answer.content.split(b"\r\n--" + boundary[1].encode())
    assert parts[0] == b""
    assert parts[-1] == b"--\r\n"
    for part, (first, end) in zip(parts[1:-1], ((0, 9), (100, 109), (len(data) - 5, len(data) - 1)), strict=True):
        head, _, body = part.partition(b"\r\n\r\n")
        assert f"Content-Range: bytes {first}-{end}/{len(data)}".encode() in head
        assert body == data[first : end + 1]


def test_a_head_has_no_ranges_and_what_is_known_is_not_sent(files: tuple[System, dict[str, str]]) -> None:
    system, urls = files
    whole = system.http.get(urls["clip"])
    head = system.http.head(urls["clip"], headers={"Range": "bytes=0-9"})
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "accept-ranges"):
        assert head.headers[name] == whole.headers[name]
    etag = whole.headers["etag"]
    for known, status in ((etag, 304), (f"W/{etag}", 304), (f'"x", {etag}', 304), ("*", 304), ('"x"', 200)):
        assert system.http.get(urls["clip"], headers={"If-None-Match": known}).status_code == status, known
    both = system.http.get(urls["clip"], headers={"If-None-Match": etag, "Range": "bytes=0-9"})
    assert (both.status_code, both.content) == (304, b"")


def test_a_player_that_reads_in_pieces_gets_the_file(files: tuple[System, dict[str, str]]) -> None:
    system, urls = files
    data = system.http.get(urls["clip"]).content
    gathered = b""
    while len(gathered) < len(data):
        piece = system.http.get(urls["clip"], headers={"Range": f"bytes={len(gathered)}-{len(gathered) + 65_535}"})
        assert piece.status_code == 206
        gathered += piece.content
    assert gathered == data

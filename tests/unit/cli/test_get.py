"""`preroll get`: whole and checked, or not there."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support.answering import Chunks, a_clip, a_file, an_event

CONTENT: Final = bytes(range(256)) * 4000
SHA256: Final = hashlib.sha256(CONTENT).hexdigest()
URL: Final = "/events/line4-0017/clips/cam1.mp4"
Run = Callable[..., Any]


class Server:
    """Serves `content`; the first answers may break off after `breaks` bytes each."""

    def __init__(self, content: bytes = CONTENT, *breaks: int, sha256: str | None = SHA256, **clip: Any) -> None:
        self.content = content
        self.breaks = list(breaks)
        self.asked: list[str | None] = []
        files = {"clip": a_file(CONTENT, URL, sha256)}
        self.event = an_event(clips=[a_clip(**{"files": files, **clip})])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/events/line4-0017":
            return httpx.Response(200, json=self.event)
        asked = request.headers.get("range")
        self.asked.append(asked)
        first = 0
        status, headers = 200, {}
        if asked is not None and request.headers["if-range"] == f'"{hashlib.sha256(self.content).hexdigest()}"':
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
            status = 206
            headers = {"content-range": f"bytes {first}-{len(self.content) - 1}/{len(self.content)}"}
        rest = self.content[first:]
        if self.breaks:
            error = httpx.ReadError("connection reset", request=request)
            return httpx.Response(status, headers=headers, stream=Chunks(rest[: self.breaks.pop(0)], error=error))
        return httpx.Response(status, headers=headers, stream=Chunks(rest[:1000], rest[1000:]))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preroll.cli.download.time.sleep", lambda _: None)
    monkeypatch.setattr("preroll.cli.download.download.__defaults__", (lambda _: None,))


def got(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_clip_arrives_whole_and_its_path_is_the_data(run: Run, tmp_path: Path) -> None:
    ended = run(Server(), "get", "line4-0017", "--to", str(tmp_path / "new"))
    path = tmp_path / "new" / "line4-0017-cam1.mp4"
    assert ended.exit_code == 0
    assert ended.stdout == f"{path}\n"
    assert path.read_bytes() == CONTENT
    assert got(path.parent) == [path.name]


def test_a_broken_download_goes_on_where_it_was(run: Run, tmp_path: Path) -> None:
    server = Server(CONTENT, 5000, 7000)
    assert run(server, "get", "line4-0017", "-o", str(tmp_path)).exit_code == 0
    assert server.asked == [None, "bytes=5000-", "bytes=12000-"]
    assert (tmp_path / "line4-0017-cam1.mp4").read_bytes() == CONTENT


def test_what_a_former_run_got_is_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "line4-0017-cam1.mp4.part").write_bytes(CONTENT[:9999])
    server = Server()
    assert run(server, "get", "line4-0017", "-o", str(tmp_path)).exit_code == 0
    assert server.asked == ["bytes=9999-"]
    assert got(tmp_path) == ["line4-0017-cam1.mp4"]


def test_a_part_of_another_file_is_found_out_by_the_hash_and_removed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "line4-0017-cam1.mp4.part").write_bytes(b"x" * 9999)
    ended = run(Server(), "get", "line4-0017", "-o", str(tmp_path))
    assert ended.exit_code == 1
    assert "SHA-256" in ended.stderr
    assert got(tmp_path) == []


def test_an_api_that_stays_away_leaves_the_part_for_the_next_time(run: Run, tmp_path: Path) -> None:
    ended = run(Server(CONTENT, 5000, *[0] * 20), "get", "line4-0017", "-o", str(tmp_path))
    assert ended.exit_code == 5
    assert "the same command goes on with it" in ended.stderr
    assert got(tmp_path) == ["line4-0017-cam1.mp4.part"]
    assert (tmp_path / "line4-0017-cam1.mp4.part").read_bytes() == CONTENT[:5000]


@pytest.mark.parametrize(
    "content", [CONTENT[:-1], CONTENT + b"x", b"y" + CONTENT[1:]], ids=["short", "long", "altered"]
)
def test_a_damaged_file_is_never_left_under_its_name(run: Run, tmp_path: Path, content: bytes) -> None:
    ended = run(Server(content), "get", "line4-0017", "-o", str(tmp_path))
    assert ended.exit_code == 1
    assert ended.stdout == ""
    assert "line4-0017-cam1.mp4" not in got(tmp_path)


def test_a_file_that_is_here_is_not_fetched_again(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "line4-0017-cam1.mp4"
    path.write_bytes(CONTENT)
    server = Server()
    ended = run(server, "get", "line4-0017", "-o", str(tmp_path))
    assert (ended.exit_code, ended.stdout) == (0, f"{path}\n")
    assert server.asked == []


def test_another_file_of_that_name_is_replaced_only_by_force(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "line4-0017-cam1.mp4"
    path.write_bytes(b"mine")
    assert run(Server(), "get", "line4-0017", "-o", str(tmp_path)).exit_code == 4
    assert path.read_bytes() == b"mine"
    assert run(Server(), "get", "line4-0017", "-o", str(tmp_path), "--force").exit_code == 0
    assert path.read_bytes() == CONTENT


def test_a_file_without_a_hash_is_said_to_be_unchecked(run: Run, tmp_path: Path) -> None:
    ended = run(Server(sha256=None), "get", "line4-0017", "-o", str(tmp_path))
    assert ended.exit_code == 0
    assert "no SHA-256" in ended.stderr


@pytest.mark.parametrize(
    ("state", "arguments", "expected"),
    [
        ("recording", (), 4),
        ("failed", (), 1),
        ("ready", ("--original",), 3),
        ("ready", ("--camera", "cam9"), 3),
    ],
)
def test_what_is_not_there_is_named(
    run: Run, tmp_path: Path, state: str, arguments: tuple[str, ...], expected: int
) -> None:
    ended = run(Server(state=state, files={}), "get", "line4-0017", "-o", str(tmp_path), *arguments)
    assert ended.exit_code == expected, ended.stderr
    assert "cam1" in ended.stderr
    assert got(tmp_path) == []


def test_all_brings_every_file_that_is_there(run: Run, tmp_path: Path) -> None:
    files = {kind: a_file(CONTENT, URL, SHA256) for kind in ("clip", "original", "poster", "sidecar")}
    assert run(Server(files=files), "get", "line4-0017", "-o", str(tmp_path), "--all").exit_code == 0
    names = [f"line4-0017-cam1{suffix}" for suffix in (".jpg", ".json", ".mp4", ".original.mp4")]
    assert got(tmp_path) == names


def test_a_name_that_would_leave_the_folder_is_refused(run: Run, tmp_path: Path) -> None:
    server = Server()
    server.event["clips"][0]["camera_id"] = "../../evil"
    ended = run(server, "get", "line4-0017", "-o", str(tmp_path))
    assert ended.exit_code == 1
    assert got(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = run(Server(), "get", "line4-0017", "-o", str(tmp_path / "file"))
    assert ended.exit_code == 1
    assert ended.stderr.count("\n") == 1

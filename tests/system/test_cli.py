"""The command line against the running system, as a person or a script uses it."""

import fcntl
import hashlib
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.judging import judge, window_of
from tests.support.processes import REPOSITORY, System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("system")) as running:
        running.start_all("cam1", "cam2", pre_s=1, post_s=1, keep_original="true")
        running.wait_ring(2, "cam1", "cam2")
        yield running


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "preroll.cli", *arguments]


def environment(system: System) -> dict[str, str]:
    return {**system.environment(), "PREROLL_URL": system.url}


def preroll(system: System, *arguments: str, expected: int = 0) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        command(*arguments),
        cwd=REPOSITORY,
        env=environment(system),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == expected, f"{ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    assert "Traceback" not in ended.stderr
    return ended


def test_an_event_is_triggered_awaited_shown_found_and_fetched(system: System, tmp_path: Path) -> None:
    wishes = ("--event-id", "by-hand", "--label", "line=4", "--pre", "1", "--post", "0.5", "--wait", "--json")
    event: dict[str, Any] = json.loads(preroll(system, "trigger", "cam1", *wishes).stdout)
    assert (event["event_id"], event["state"], event["labels"]) == ("by-hand", "ready", {"line": "4"})
    assert [clip["camera_id"] for clip in event["clips"]] == ["cam1"]

    assert json.loads(preroll(system, "show", "by-hand", "--json").stdout) == system.event("by-hand")
    assert "ready" in preroll(system, "show", "by-hand").stdout

    page = json.loads(preroll(system, "events", "--json", "--label", "line=4", "--camera", "cam1").stdout)
    assert page == system.http.get("/events", params={"label": "line=4", "camera": "cam1"}).json()
    assert [found["event_id"] for found in page["events"]] == ["by-hand"]
    assert "by-hand" not in preroll(system, "events", "--label", "line=5").stdout

    (saved,) = preroll(system, "get", "by-hand", "--to", str(tmp_path / "one")).stdout.splitlines()
    assert Path(saved).name == "by-hand-cam1.mp4"
    judge(Path(saved), window_of(event))

    fetched = preroll(system, "get", "by-hand", "--to", str(tmp_path / "all"), "--all").stdout.splitlines()
    hashes = {hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in fetched}
    assert hashes == {file["sha256"] for file in event["clips"][0]["files"].values()}
    assert len(fetched) == 4


def test_a_download_that_broke_off_goes_on_where_it_was(system: System, tmp_path: Path) -> None:
    event = json.loads(preroll(system, "trigger", "cam2", "--wait", "--json").stdout)
    clip = event["clips"][0]["files"]["clip"]
    part = tmp_path / f"{event['event_id']}-cam2.mp4.part"
    part.write_bytes(system.http.get(clip["url"]).content[: clip["size_bytes"] // 2])
    (saved,) = preroll(system, "get", event["event_id"], "--to", str(tmp_path)).stdout.splitlines()
    assert hashlib.sha256(Path(saved).read_bytes()).hexdigest() == clip["sha256"]
    assert not part.exists()


def test_cameras_are_listed(system: System) -> None:
    assert [one["camera_id"] for one in json.loads(preroll(system, "cameras", "--json").stdout)] == ["cam1", "cam2"]
    lines = preroll(system, "cameras").stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["cam1", "live"], ["cam2", "live"]]


def test_events_are_listed_page_by_page_and_all_at_once(system: System) -> None:
    for number in range(3):
        preroll(system, "trigger", "cam1", "--event-id", f"page-{number}", "--label", "set=pages", "--post", "0")
    first = json.loads(preroll(system, "events", "--label", "set=pages", "--limit", "2", "--json").stdout)
    assert [event["event_id"] for event in first["events"]] == ["page-2", "page-1"]
    rest = preroll(system, "events", "--label", "set=pages", "--cursor", first["next_cursor"], "--json").stdout
    assert [event["event_id"] for event in json.loads(rest)["events"]] == ["page-0"]
    assert "--cursor" in preroll(system, "events", "--label", "set=pages", "--limit", "2").stderr
    listed = preroll(system, "events", "--label", "set=pages", "--limit", "1", "--all").stdout
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["page-2", "page-1", "page-0"]


def test_logs_are_chosen_by_what_they_are_about(system: System) -> None:
    preroll(system, "trigger", "cam1", "cam2", "--event-id", "logged", "--pre", "0.2", "--post", "0.2", "--wait")

    def told(*wishes: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(preroll(system, "logs", "--json", *wishes).stdout)["records"]
        return found

    about = ("--event", "logged")
    wait_until(lambda: len(told(*about, "--text", "clip ready")) == 2, 10, "both clips are told to be ready")
    assert {record["camera_id"] for record in told(*about, "--camera", "cam2")} == {"cam2"}
    assert told(*about, "--service", "capture") == told(*about, "--level", "error") == []
    assert len(told("--lines", "1")) == 1
    assert "clip saved  event_id=logged" in preroll(system, "logs", *about, "--camera", "cam1").stdout


def test_refusals_have_their_exit_codes(system: System) -> None:
    assert "cam9" in preroll(system, "trigger", "cam9", expected=3).stderr
    assert "max_clip_s=120" in preroll(system, "trigger", "--post", "500", expected=4).stderr
    assert "at" in preroll(system, "trigger", "--at", "yesterday", expected=2).stderr
    preroll(system, "show", "never", expected=3)
    preroll(system, "cameras", "--url", "http://127.0.0.1:9", expected=5)


def records(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_text().splitlines(keepends=True) if line.endswith("\n")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_logs_are_followed_through_a_restart_of_the_api(system: System, tmp_path: Path, number: int) -> None:
    before, through, after = (f"{when}-{number}" for when in ("before", "through", "after"))
    output, talk = tmp_path / "out", tmp_path / "err"
    with output.open("wb") as out, talk.open("wb") as err:
        following = subprocess.Popen(
            command("logs", "-f", "--json", "--service", "recorder"),
            cwd=REPOSITORY,
            env=environment(system),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )

    def told_of(event_id: str, message: str = "event accepted") -> bool:
        assert following.poll() is None, talk.read_text()
        return any((record["event_id"], record["message"]) == (event_id, message) for record in records(output))

    try:
        wait_until(lambda: output.stat().st_size > 0, 20, "history is shown")
        system.trigger(event_id=before, post_s=0)
        wait_until(lambda: told_of(before), 20, "a record before the restart")
        system.trigger(event_id=through, post_s=2, cameras=["cam1"])
        api = system.services["api"]
        assert api.stop(number) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        wait_until(lambda: "waiting for it" in talk.read_text(), 20, "the loss is said")
        wait_until(lambda: list(system.clips_dir.glob(f"*/{through}/cam1.json")), 20, "a clip is saved meanwhile")
        api.start()
        system.wait_ready()
        wait_until(lambda: "the API is back" in talk.read_text(), 20, "the return is said")
        wait_until(lambda: told_of(through, "clip saved"), 20, "a record of the time without the API")
        system.trigger(event_id=after, post_s=0)
        wait_until(lambda: told_of(after), 20, "a record after the restart")
    finally:
        following.send_signal(signal.SIGINT)
        code = following.wait(10)
    assert code == 130
    lines = output.read_text().splitlines()
    assert len(lines) == len(set(lines)), "a record came twice"
    assert {record["service"] for record in records(output)} == {"recorder"}
    assert "Traceback" not in talk.read_text()


def test_watch_draws_cameras_and_events_live(system: System) -> None:
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    watching = subprocess.Popen(
        command("watch"),
        cwd=REPOSITORY,
        env={**environment(system), "TERM": "xterm"},
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
    )
    os.close(its_end)
    os.set_blocking(terminal, False)
    drawn = bytearray()

    def shows(text: str) -> bool:
        assert watching.poll() is None, bytes(drawn)
        try:
            drawn.extend(os.read(terminal, 65536))
        except BlockingIOError:
            pass
        return text.encode() in drawn

    try:
        wait_until(lambda: shows("cam2"), 20, "the cameras")
        system.trigger(event_id="while-watched", post_s=0)
        wait_until(lambda: shows("while-watched"), 20, "the event")
    finally:
        watching.send_signal(signal.SIGINT)
        wait_until(lambda: watching.poll() is not None or (shows("") and False), 10, "watch ends")
        os.close(terminal)
    assert watching.returncode == 130


def test_a_reader_that_leaves_is_no_error(system: System) -> None:
    piped = f"{sys.executable} -m preroll.cli logs -n 1000 --json | head -c 1"
    ended = subprocess.run(
        ["bash", "-c", piped],
        cwd=REPOSITORY,
        env=environment(system),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.stdout == "{"
    assert ended.stderr == ""


def test_keys_and_certificates_open_an_api_that_is_closed(tmp_path: Path) -> None:
    certificate, its_key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            *made,
            "-keyout",
            str(its_key),
            "-out",
            str(certificate),
        ],
        check=True,
        capture_output=True,
    )
    operating = tmp_path / "operate"
    operating.write_text("operating-key-0123456789\n")
    looking = "looking-key-0123456789"
    with System(tmp_path) as closed:
        closed.start("api", key_file=operating, view_key=looking, tls_cert=certificate, tls_key=its_key)
        closed.start("recorder")
        at = ("--url", closed.url.replace("http:", "https:"))
        trusting = (*at, "--ca", str(certificate))

        def opens() -> bool:
            asked = command("cameras", *trusting, "--key-file", str(operating))
            return subprocess.run(asked, cwd=REPOSITORY, capture_output=True, check=False).returncode == 0

        wait_until(opens, 30, "the API lets its key in")
        assert "--ca FILE" in preroll(closed, "cameras", *at, expected=4).stderr
        assert "--key-file" in preroll(closed, "cameras", *trusting, expected=4).stderr
        assert preroll(closed, "cameras", *trusting, "--json", "--key", looking).stdout == "[]\n"
        assert "viewing key" in preroll(closed, "trigger", *trusting, "--key", looking, expected=4).stderr
        assert "cam9" in preroll(closed, "trigger", "cam9", *trusting, "--key-file", str(operating), expected=3).stderr

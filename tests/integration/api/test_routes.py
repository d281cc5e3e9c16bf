"""Triggers, events, cameras and files over HTTP, with a recorder that does as it is told."""

import asyncio
import errno
import io
import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import get_args
from urllib.parse import unquote

import httpx
import pytest
import zmq

from preroll import wire
from services.api.recorder_client import RecorderClient
from tests.support.recorder import RunningApi, camera_of, clip_of, event_of
from tests.support.waiting import wait_until

PROBLEM = "application/problem+json"


def with_clip(api: RunningApi, data: bytes) -> str:
    path = "2026-01-01/ev1/cam1.mp4"
    (api.clips_dir / path).parent.mkdir(parents=True)
    (api.clips_dir / path).write_bytes(data)
    api.recorder.events["ev1"] = event_of("ev1", clip_of("cam1", clip=(path, len(data))))
    return "/events/ev1/clips/cam1.mp4"


def test_a_trigger_is_anchored_when_it_arrived(api: RunningApi) -> None:
    before = time.monotonic_ns()
    answer = api.http.post("/trigger", headers={"Idempotency-Key": "e1"}, content=b"")
    after = time.monotonic_ns()
    assert answer.status_code == 202
    (command,) = [asked for asked in api.recorder.asked if isinstance(asked, wire.StartEvent)]
    assert command.event_id == "e1"
    assert before <= command.received.monotonic_ns <= after
    assert command.received.monotonic_ns + command.age_ns <= after


def test_a_trigger_that_the_api_had_to_ask_twice_is_new_to_its_caller(api: RunningApi) -> None:
    """The recorder knows the event when it is asked again, since only its first answer came too late."""
    known: list[wire.Event] = []

    def has_given_up() -> bool:
        return "preroll_recorder_timeouts_total 1.0" in api.http.get("/metrics").text

    def answer_late(message: wire.Command | wire.Query) -> wire.Reply | bytes:
        if not isinstance(message, wire.StartEvent):
            return api.recorder.usual(message)
        if known:
            return wire.EventReply(event=known[0])
        event = event_of(message.event_id, clip_of("cam1", "recording"), fingerprint=message.fingerprint)
        known.append(event.model_copy(update={"received_unix_ns": message.received.unix_ns}))
        wait_until(has_given_up, 5, "the API has given up its first try")
        return wire.EventReply(event=known[0], is_new=True)

    api.recorder.answer = answer_late
    assert api.http.post("/trigger", json={"event_id": "e1"}).status_code == 202
    assert sum(isinstance(asked, wire.StartEvent) for asked in api.recorder.asked) == 2


def test_the_same_request_is_the_same_event_and_another_a_conflict(api: RunningApi) -> None:
    body = {"event_id": "e1", "labels": {"a": "1", "b": "2"}}
    assert api.http.post("/trigger", json=body).status_code == 202
    assert api.http.post("/trigger", json={"labels": {"b": "2", "a": "1"}, "event_id": "e1"}).status_code == 200
    other = api.http.post("/trigger", json={**body, "pre_s": 1})
    assert (other.status_code, other.headers["content-type"]) == (409, PROBLEM)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 422), (b'{"pre_s":-1}', 422), (b'{"unknown":1}', 422), (b"x" * 70_000, 413)],
)
def test_a_wrong_trigger_is_refused_with_a_problem(api: RunningApi, body: bytes, status: int) -> None:
    answer = api.http.post("/trigger", content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert answer.json()["detail"]


def test_every_error_is_a_problem(api: RunningApi) -> None:
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("PUT", "/trigger", 405),
        ("GET", "/events?limit=0", 422),
        ("GET", "/events/none", 404),
        ("GET", "/cameras/cam9/snapshot.jpg", 404),
        ("GET", "/cameras/cam1/frames?seq=1", 422),
    ):
        answer = api.http.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), path
    assert api.http.get("/nowhere").json()["detail"] == "there is nothing at '/nowhere'"
    assert api.http.put("/trigger").json()["detail"] == "PUT is not possible at '/trigger'; possible are POST"


def test_a_recorder_that_does_not_answer_is_away_and_nonsense_is_no_crash(api: RunningApi) -> None:
    api.recorder.answer = lambda _: b"\xc1"
    assert api.http.get("/cameras").status_code in {502, 503}
    api.recorder.answer = api.recorder.usual
    assert api.http.get("/cameras").status_code == 200
    api.recorder.close()
    assert api.http.post("/trigger").status_code == 503
    assert api.http.get("/readyz").status_code == 503


@pytest.mark.parametrize("code", get_args(wire.RefusalCode))
def test_it_is_not_ready_when_a_trigger_is_refused_and_says_why(api: RunningApi, code: wire.RefusalCode) -> None:
    assert api.http.get("/readyz").json() == {"ready": True, "cameras_live": 1, "missing": []}
    api.recorder.refuses = wire.Refused(
        code=code, message="camera cam1 is in the way" if code == "overlapping" else "so"
    )
    answer = api.http.get("/readyz")
    assert answer.status_code == 503
    said = answer.json()
    assert (said["ready"], said["cameras_live"], len(said["missing"])) == (False, 1, 1)
    assert "cam1" not in answer.text
    assert api.http.post("/trigger").status_code >= 400


def test_it_is_not_ready_without_a_live_camera(api: RunningApi) -> None:
    api.recorder.cameras["cam1"] = camera_of("cam1", "lost")
    answer = api.http.get("/readyz")
    assert (answer.status_code, answer.json()["missing"]) == (503, ["no camera is live"])


def test_of_a_recorder_that_cannot_be_asked_yet_its_cameras_decide(api: RunningApi) -> None:
    """It is of a version before: what it does not know, it refuses as malformed."""

    def as_before(message: wire.Command | wire.Query) -> wire.Reply:
        if isinstance(message, wire.CheckTrigger):
            return wire.Refused(code="malformed", message="command: type='check_trigger'")
        return api.recorder.usual(message)

    api.recorder.answer = as_before
    assert api.http.get("/readyz").json() == {"ready": True, "cameras_live": 1, "missing": []}
    api.recorder.cameras["cam1"] = camera_of("cam1", "stalled")
    assert api.http.get("/readyz").status_code == 503


def test_many_who_ask_whether_it_is_ready_cost_the_recorder_few_questions(api: RunningApi) -> None:
    """Anybody may ask, and the recorder answers where it takes triggers."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: httpx.get(f"{api.url}/readyz", trust_env=False).status_code, range(40)))
    assert set(answers) == {200}
    assert 0 < sum(isinstance(asked, wire.CheckTrigger) for asked in api.recorder.asked) <= 40


def test_frames_carry_their_name(api: RunningApi) -> None:
    answer = api.http.get("/cameras/cam1/frames", params={"at": "1800000000.5"})
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-preroll-run-id"] == "run"
    assert int(answer.headers["x-preroll-seq"]) > 0


def test_live_pictures_come_one_after_another(api: RunningApi) -> None:
    with api.http.stream("GET", "/cameras/cam1/live") as answer:
        seen = b""
        for chunk in answer.iter_raw():
            seen += chunk
            if seen.count(b"image/jpeg") >= 3:
                break
    assert answer.headers["content-type"].startswith("multipart/x-mixed-replace")


def test_a_file_is_sent_whole_in_ranges_and_not_twice(api: RunningApi) -> None:
    data = bytes(range(256)) * 4000
    url = with_clip(api, data)
    whole = api.http.get(url)
    etag = whole.headers["etag"]
    assert (whole.status_code, whole.content) == (200, data)
    assert api.http.get(url, headers={"If-None-Match": etag}).status_code == 304

    def part(header: str, **more: str) -> httpx.Response:
        return api.http.get(url, headers={"Range": header, **more})

    assert (part("bytes=5-9").status_code, part("bytes=5-9").content) == (206, data[5:10])
    assert part("bytes=-7").content == data[-7:]
    assert part("bytes=5-9").headers["content-range"] == f"bytes 5-9/{len(data)}"
    assert part("bytes=5-9", **{"If-Range": etag}).status_code == 206
    assert part("bytes=5-9", **{"If-Range": '"other"'}).status_code == 200
    beyond = part(f"bytes={len(data)}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(data)}")
    several = part("bytes=0-1,10-12")
    assert several.headers["content-type"].startswith("multipart/byteranges")
    assert data[10:13] in several.content
    head = api.http.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(data)))


def test_a_clip_that_is_not_ready_says_its_state(api: RunningApi) -> None:
    api.recorder.events["ev1"] = event_of("ev1", clip_of("cam1", "saved"))
    answer = api.http.get("/events/ev1/clips/cam1.mp4")
    assert (answer.status_code, answer.json()["state"]) == (409, "saved")
    assert api.http.get("/events/ev1/archive.zip").status_code == 409


def test_no_path_leads_out_of_the_clips(api: RunningApi) -> None:
    api.recorder.events["ev1"] = event_of("ev1", clip_of("cam1", clip=("../../../etc/passwd", 1)))
    assert api.http.get("/events/ev1/clips/cam1.mp4").status_code == 404
    for path in ("/static/..%2fservice.py", "/static/%2e%2e/service.py", "/events/..%2f..%2fetc/clips/passwd"):
        assert api.http.get(path).status_code == 404, path


def test_an_archive_is_sent(api: RunningApi) -> None:
    with_clip(api, b"data")
    answer = api.http.get("/events/ev1/archive.zip")
    assert answer.status_code == 200
    assert answer.content.startswith(b"PK")


def test_a_file_that_is_both_the_clip_and_the_original_is_in_the_archive_once(api: RunningApi) -> None:
    with_clip(api, b"data")
    file = ("2026-01-01/ev1/cam1.mp4", 4)
    api.recorder.events["ev1"] = event_of("ev1", clip_of("cam1", clip=file, original=file))
    names = zipfile.ZipFile(io.BytesIO(api.http.get("/events/ev1/archive.zip").content)).namelist()
    assert names == ["ev1/event.json", "ev1/cam1.mp4"]


def test_a_moment_that_is_infinite_when_it_is_reckoned_with_is_refused(api: RunningApi) -> None:
    answer = api.http.post("/trigger", content=b'{"at": 1e303}')
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "at=1e+303" in answer.json()["detail"]


def test_a_page_may_run_nothing_but_our_own_files(api: RunningApi) -> None:
    for path in ("/", "/docs", "/viewer"):
        answer = api.http.get(path)
        assert answer.status_code == 200
        assert "script-src 'self' 'unsafe-inline'" not in answer.headers["content-security-policy"]
        assert "<script>" not in answer.text
    assert api.http.get("/docs-assets/swagger-ui-bundle.js").status_code == 200


@pytest.mark.parametrize("run_id", ["a/b?c#d", "a\r\nX-Other: 1", "\x00", "é", "\U0001f600" * 64, " a "])
def test_a_picture_of_a_run_with_any_name_is_served(api: RunningApi, run_id: str) -> None:
    def answer(message: wire.Command | wire.Query) -> wire.Reply | bytes:
        reply = api.recorder.usual(message)
        if isinstance(reply, wire.FrameReply):
            return reply.model_copy(update={"ref": wire.FrameRef(camera_id="cam1", run_id=run_id, seq=7)})
        return reply

    api.recorder.answer = answer
    picture = api.http.get("/cameras/cam1/snapshot.jpg")
    assert picture.status_code == 200
    assert unquote(picture.headers["X-Preroll-Run-Id"]) == run_id
    assert "X-Other" not in picture.headers


@pytest.mark.parametrize("run_id", ["\\ud800", "\\u0000", "a/b", "../..", "\U0001f600"])
def test_a_trigger_may_name_a_frame_of_any_run(api: RunningApi, run_id: str) -> None:
    body = f'{{"at_frame": {{"camera_id": "cam1", "run_id": "{run_id}", "seq": 1}}}}'
    answer = api.http.post("/trigger", content=body.encode(), headers={"Content-Type": "application/json"})
    assert answer.status_code in (202, 422), answer.text


def test_each_change_carries_an_id_of_its_own_for_the_second_try(api: RunningApi) -> None:
    api.recorder.events["ev1"] = event_of("ev1", clip_of("cam1"))
    api.http.patch("/events/ev1", json={"post_s": 5})
    api.http.put("/events/ev1/protection", json={"protected": True})
    api.http.delete("/events/ev1")
    api.http.delete("/cameras/cam9")
    ids = [message.command_id for message in api.recorder.asked if hasattr(message, "command_id")]
    assert len(set(ids)) == 4
    assert None not in ids


def test_the_doctor_says_what_is_wrong(api: RunningApi) -> None:
    api.recorder.refuses = wire.Refused(code="storage_failed", message="the clips' disk is read-only")
    said = api.http.get("/doctor").json()
    assert said["state"] == "problem"
    first = said["findings"][0]
    assert first["subject"] == "trigger"
    assert "the clips' disk is read-only" in first["said"]
    assert first["advice"]


def test_without_a_descriptor_the_cause_is_named(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    url = with_clip(api, b"data")

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("services.api.routes.events.open_under", refuse)
    answer = api.http.get(url)
    assert (answer.status_code, answer.json()["code"]) == (503, "file_unavailable")
    assert answer.json()["detail"] == "2026-01-01/ev1/cam1.mp4 cannot be opened now: Too many open files"

    def no_socket(*_: object) -> None:
        raise zmq.ZMQError(errno.EMFILE)

    monkeypatch.setattr("services.api.recorder_client.sockets.requester", no_socket)
    monkeypatch.setattr("services.api.recorder_client.IDLE_SOCKETS", 0)
    api.http.get("/events/ev1")  # with the socket that is left
    answer = api.http.get("/events/ev1")
    assert (answer.status_code, answer.json()["code"]) == (503, "recorder_away")
    assert "Too many open files" in answer.json()["detail"]


def test_a_live_view_goes_on_after_an_error_of_ours(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("services.api.live.AWAY_S", 0.05)
    usual, failures = RecorderClient.frame, iter([True, True])

    async def frame(self: RecorderClient, query: wire.GetFrame) -> wire.FrameReply:
        if asyncio.current_task().get_name().startswith("live-") and next(failures, False):  # type: ignore[union-attr]
            raise RuntimeError("made for the test")
        return await usual(self, query)

    monkeypatch.setattr(RecorderClient, "frame", frame)
    with api.http.stream("GET", "/cameras/cam1/live") as answer:
        assert b"image/jpeg" in next(answer.iter_raw())
    assert caplog.messages.count("live picture failed") == 2

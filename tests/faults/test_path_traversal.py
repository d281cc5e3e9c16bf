"""Fault 18: no path leads out of the clips or the pages, however it is written."""

from pathlib import Path
from typing import Final

import pytest
import zmq

from tests.support.raw_http import ask
from tests.support.recorder import RunningApi, camera_of, clip_of, event_of

SECRET: Final = b"this-is-outside"
STEPS: Final = (
    *(b"../", b"..%2f", b"..%2F", b"%2e%2e/", b"%2e%2e%2f", b"%252e%252e%252f", b".%2e/", b"....//", b"..;/"),
    *(b"..%5c", b"..\\", b"%c0%ae%c0%ae/", b"%c0%ae%c0%ae%c0%af", b"..%c0%af", b"%uff0e%uff0e/", b"..%00/", b"./../"),
)
PREFIXES: Final = (
    *(b"/", b"/static/", b"/static/js/", b"/docs-assets/", b"/ui/", b"/ui/events/", b"/docs/", b"/events/"),
    *(b"/events/ev1/", b"/events/ev1/clips/", b"/events/ev1/clips/cam1.mp4/", b"/cameras/", b"/cameras/cam1/"),
)
OUTSIDE: Final = (b"etc/passwd", b"secret.txt", b"service.py", b"settings.py")
ABSOLUTE: Final = (
    b"//etc/passwd",
    b"/static//etc/passwd",
    b"/static/%2fetc/passwd",
    b"/docs-assets//etc/passwd",
    b"/.%00",
)
LEAKS: Final = (SECRET, b"root:x:0", b"ServiceSettings", b"async def serve")


@pytest.mark.timeout(120)
def test_no_way_of_writing_a_path_leads_outside(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> None:
    with RunningApi(context, tmp_path) as api:
        api.recorder.cameras["cam1"] = camera_of("cam1")
        (tmp_path / "secret.txt").write_bytes(SECRET)
        (api.clips_dir / "ev1").mkdir()
        (api.clips_dir / "ev1/cam1.mp4").write_bytes(b"inside")
        api.recorder.events["ev1"] = event_of("ev1", clip_of("cam1", clip=("ev1/cam1.mp4", 6)))
        assert ask(api.port, b"/events/ev1/clips/cam1.mp4").body == b"inside"

        paths = [
            prefix + step * depth + name
            for prefix in PREFIXES
            for step in STEPS
            for depth, name in ((1, OUTSIDE[1]), (2, OUTSIDE[2]), (2, OUTSIDE[3]), (12, OUTSIDE[0]))
        ]
        for path in (*paths, *ABSOLUTE):
            answer = ask(api.port, path)
            assert not any(leak in answer.body for leak in LEAKS), path
            assert answer.status in {200, 303, 400, 404, 405, 409, 422}, (path, answer)
            # The page of an event is the same for every name of one.
            assert answer.status != 200 or b"<!doctype html>" in answer.body.lower(), (path, answer)


def test_a_record_that_points_outside_gives_nothing(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> None:
    with RunningApi(context, tmp_path) as api:
        outside = tmp_path / "secret.txt"
        outside.write_bytes(SECRET)
        folder = api.clips_dir / "ev"
        folder.mkdir()
        (folder / "link.mp4").symlink_to(outside)
        (api.clips_dir / "linked").symlink_to(tmp_path)
        (folder / "folder.mp4").mkdir()
        for number, path in enumerate(
            (
                *(
                    "../secret.txt",
                    "ev/../../secret.txt",
                    str(outside),
                    "ev/link.mp4",
                    "linked/secret.txt",
                    "ev/folder.mp4",
                ),
                *("", ".", "..", "ev//link.mp4", "ev/\0", "ev\\link.mp4", "C:/secret.txt", "ev/" + "a" * 400),
            )
        ):
            api.recorder.events[f"ev{number}"] = event_of(f"ev{number}", clip_of("cam1", clip=(path, 6)))
            answer = ask(api.port, f"/events/ev{number}/clips/cam1.mp4".encode())
            assert answer.status == 404, (path, answer)
            assert SECRET not in ask(api.port, f"/events/ev{number}/archive.zip".encode()).body, path

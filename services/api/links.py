"""The OpenAPI document's links: which part of an answer names the target of which next request.

They tell a program how a trigger leads to its clips, and a test that generates requests follows them.
"""

from typing import Final

Parameters = dict[str, str]
Links = dict[str, tuple[str, Parameters]]  # the link's name: the route it leads to, and that route's parameters

_EVENT: Final = "$response.body#/event_id"
_FIRST_EVENT: Final = "$response.body#/events/0/event_id"
_FIRST_CAMERA: Final = "$response.body#/0/camera_id"


def _of_event(event_id: str) -> Links:
    return {
        "event": ("GET /events/{event_id}", {"event_id": event_id}),
        "amend": ("PATCH /events/{event_id}", {"event_id": event_id}),
        "protect": ("PUT /events/{event_id}/protection", {"event_id": event_id}),
        "archive": ("GET /events/{event_id}/archive.zip", {"event_id": event_id}),
        "delete": ("DELETE /events/{event_id}", {"event_id": event_id}),
    }


def _with_clip(event_id: str, clip: str) -> Links:
    file_name = f"{{{clip}/camera_id}}.mp4"
    file: Links = {
        "clip": ("GET /events/{event_id}/clips/{file_name}", {"event_id": event_id, "file_name": file_name}),
    }
    return {**_of_event(event_id), **file}


_ACCEPTED: Final = _with_clip(_EVENT, "$response.body#/clips/0")

LINKS: Final[dict[tuple[str, str], Links]] = {
    ("POST /trigger", "202"): _ACCEPTED,
    ("POST /trigger", "200"): _ACCEPTED,
    ("GET /events/{event_id}", "200"): _ACCEPTED,
    ("GET /events", "200"): {
        **_with_clip(_FIRST_EVENT, "$response.body#/events/0/clips/0"),
        "next_page": ("GET /events", {"cursor": "$response.body#/next_cursor"}),
    },
    ("GET /cameras", "200"): {
        "snapshot": ("GET /cameras/{camera_id}/snapshot.jpg", {"camera_id": _FIRST_CAMERA}),
        "frame": ("GET /cameras/{camera_id}/frames", {"camera_id": _FIRST_CAMERA}),
        "live": ("GET /cameras/{camera_id}/live", {"camera_id": _FIRST_CAMERA}),
        "forget": ("DELETE /cameras/{camera_id}", {"camera_id": _FIRST_CAMERA}),
    },
    ("GET /cameras/{camera_id}/frames", "200"): {
        "beside": (
            "GET /cameras/{camera_id}/frames",
            {
                "camera_id": "$request.path.camera_id",
                "run_id": "$response.header.X-Preroll-Run-Id",
                "seq": "$response.header.X-Preroll-Seq",
            },
        ),
    },
}

"""By what events are found: every camera, every label, and each label on each camera, as one name apiece. Pure.

Every question is then one range of one index in the order of the answer, however rare or common what is asked for.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Final

from preroll import wire

_BETWEEN: Final = "\x1f"


def names_of(camera_ids: Iterable[str], labels: Mapping[str, str]) -> frozenset[str]:
    """The names under which an event of these cameras and labels is found."""
    texts = {text for key, value in labels.items() for text in (key, f"{key}={value}")}
    cameras = set(camera_ids)
    return frozenset(
        name
        for name in (_BETWEEN.join((camera, text)) for camera in ("", *cameras) for text in ("", *texts))
        if name != _BETWEEN
    )


def name_of(query: wire.ListEvents) -> str | None:
    """The name that a question asks for; `None` when it filters neither by camera nor by label."""
    if query.camera_id is None and query.label is None:
        return None
    return _BETWEEN.join((query.camera_id or "", query.label or ""))


def cursor_of(triggered: int, number: int) -> str:
    """What a page gives to ask for the next: the place of its last event."""
    return base64.urlsafe_b64encode(f"{triggered}/{number}".encode()).decode()


def place_of(cursor: str) -> tuple[int, int]:
    """The place that `cursor_of` stated, or `WireError`."""
    try:
        triggered, number = base64.urlsafe_b64decode(cursor.encode()).decode().split("/")
        place = int(triggered), int(number)
    except (binascii.Error, ValueError) as err:
        raise wire.WireError(f"cursor={cursor[:80]!r} was not given by a page of events") from err
    if max(map(abs, place)) > wire.INT63_MAX:
        raise wire.WireError(f"cursor={cursor[:80]!r} was not given by a page of events")
    return place

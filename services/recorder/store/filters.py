"""By what events are found: each camera and each label is a name, and a name's events lie in the order of time. Pure.

A question for one name is a range of one index in the order of the answer. One for a camera and a label walks the two
ranges side by side: at worst, when both are common and hardly ever meet, through both. An event costs a row for each of
its names, so cameras and labels add up; a name for each pair of them would be 8,000 rows at the limits.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Final

from preroll import wire

_BETWEEN: Final = "\x1f"  # a camera's id has none
Value = str | int


def names_of(camera_ids: Iterable[str], labels: Mapping[str, str]) -> frozenset[str]:
    """The names under which an event of these cameras and labels is found."""
    texts = {text for key, value in labels.items() for text in (key, f"{key}={value}") if text}
    return frozenset((*map(_camera, camera_ids), *map(_label, texts)))


def names_asked(query: wire.ListEvents) -> tuple[str, ...]:
    """The names that a question asks for: none, one or both of a camera's and a label's."""
    camera = (_camera(query.camera_id),) if query.camera_id else ()
    return (*camera, _label(query.label)) if query.label else camera


def is_pair(name: str) -> bool:
    """Whether a name is a label's on a camera, of which version 2 of the index made one apiece."""
    camera, _, text = name.partition(_BETWEEN)
    return bool(camera) and bool(text)


def listing(query: wire.ListEvents) -> tuple[str, list[Value]]:
    """The statement that gives a page of events, newest first, as (triggered, number, event_id, record), and its values.

    It asks for one event more than the page has, by which one sees whether there is another page.
    """
    names = names_asked(query)
    values = list[Value]()
    if not names:
        places = _range(query, "event", "number", values)
    else:
        places = " INTERSECT ".join(_range(query, "found_by", "event", values, name) for name in names)
    values.append(query.limit + 1)
    return (
        f"SELECT place.triggered, place.number, event.event_id, event.record "  # noqa: S608 - values are parameters
        f"FROM ({places} ORDER BY 1 DESC, 2 DESC LIMIT ?) AS place "
        "CROSS JOIN event ON event.number = place.number ORDER BY place.triggered DESC, place.number DESC"
    ), values


def _range(query: wire.ListEvents, table: str, number: str, values: list[Value], name: str | None = None) -> str:
    where = list[str]()
    if name is not None:
        where.append("filter = (SELECT filter.number FROM filter WHERE filter.name = ?)")
        values.append(name)
    if query.since_unix_ns is not None:
        where.append("triggered >= ?")
        values.append(query.since_unix_ns)
    if query.until_unix_ns is not None:
        where.append("triggered <= ?")
        values.append(query.until_unix_ns)
    if query.cursor is not None:
        where.append(f"(triggered, {number}) < (?, ?)")
        values += place_of(query.cursor)
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    return f"SELECT triggered, {number} AS number FROM {table}{condition}"  # noqa: S608 - names are ours


def _camera(camera_id: str) -> str:
    return f"{camera_id}{_BETWEEN}"


def _label(text: str) -> str:
    return f"{_BETWEEN}{text}"


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

"""A week's index: 100,000 events open within 2 s and any filter is answered within 50 ms."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from preroll import wire
from services.recorder.store.index import Index
from tests.support.event_records import FIRST_UNIX_NS, event

pytestmark = pytest.mark.timeout(300)

COUNT = 100_000
WEEK_S = 7 * 86_400
OPEN_MAX_S = 2.0
ANSWER_MAX_S = 0.05
PUT_MAX_S = 0.05


def week() -> Iterator[wire.Event]:
    """Camera 1 is in every event, camera 4 in one of a thousand; so with the labels.

    Camera 2 and `even` never meet, event by event; camera 5, of the second half, and `half=1` lie apart in time.
    """
    for number in range(COUNT):
        half = 1 if number < COUNT // 2 else 2
        cameras = ["cam1", "cam2" if number % 2 else "cam3"] + (["cam4"] if number % 1000 == 500 else [])
        cameras += ["cam5"] if half == 2 else []
        labels = {"line": str(number % 4), "parity": "odd" if number % 2 else "even", "serial": str(number)}
        labels["half"] = str(half)
        if number % 1000 == 7:
            labels["rare"] = "yes"
        yield event(f"event-{number:06}", at_s=number * WEEK_S / COUNT, cameras=cameras, labels=labels)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("week") / "index.sqlite"
    index = Index.open(path)
    index.put_all(week())
    index.close()
    return path


@pytest.fixture(scope="module")
def index(path: Path) -> Iterator[Index]:
    opened = Index.open(path)
    yield opened
    opened.close()


def test_a_weeks_index_opens_within_two_seconds(path: Path) -> None:
    began = time.monotonic()
    index = Index.open(path)
    took_s = time.monotonic() - began
    print(f"opening {COUNT} events, {path.stat().st_size / 1e6:.0f} MB: {took_s:.3f} s")
    assert index.count() == COUNT
    index.close()
    assert took_s <= OPEN_MAX_S


@pytest.mark.parametrize("limit", [50, 1000])
@pytest.mark.parametrize("camera_id", [None, "cam1", "cam2", "cam4", "cam5", "cam9"])
@pytest.mark.parametrize(
    "label",
    [None, "line", "line=3", "parity=even", "half=1", "rare", "rare=yes", "serial=7", "serial=99999", "none=0"],
)
@pytest.mark.parametrize("span", ["all", "late", "early", "narrow", "after", "second page"])
def test_any_filter_is_answered_within_fifty_milliseconds(
    index: Index, limit: int, camera_id: str | None, label: str | None, span: str
) -> None:
    hour_ns = 3600 * 1_000_000_000
    middle_ns = FIRST_UNIX_NS + WEEK_S * 1_000_000_000 // 2
    since, until = {
        "late": (middle_ns, None),
        "early": (None, middle_ns),
        "narrow": (middle_ns, middle_ns + hour_ns),
        "after": (FIRST_UNIX_NS + 2 * WEEK_S * 1_000_000_000, None),
    }.get(span, (None, None))
    query = wire.ListEvents(limit=limit, camera_id=camera_id, label=label, since_unix_ns=since, until_unix_ns=until)
    if span == "second page":
        query = query.model_copy(update={"cursor": index.page(query).next_cursor})
    best_s = min(timed(index, query) for _ in range(3))
    # The records of a thousand events take their time to decode, whatever the filter.
    assert best_s <= ANSWER_MAX_S * max(1, limit / 400)


def timed(index: Index, query: wire.ListEvents) -> float:
    began = time.monotonic()
    index.page(query)
    return time.monotonic() - began


def test_a_thousand_events_are_as_quick_to_find(index: Index) -> None:
    sql_s = min(timed(index, wire.ListEvents(limit=1000, camera_id="cam1", label="line=3")) for _ in range(5))
    print(f"1000 events found, read and validated: {sql_s * 1000:.1f} ms")
    assert sql_s < 2 * ANSWER_MAX_S


def test_an_event_is_put_within_a_few_milliseconds(index: Index) -> None:
    took_s = []
    for number in range(50):
        began = time.monotonic()
        index.put(event(f"new-{number}", at_s=WEEK_S + number, cameras=["cam1", "cam2"], labels={"line": "1"}))
        took_s.append(time.monotonic() - began)
    print(f"put: median {sorted(took_s)[25] * 1000:.2f} ms")
    assert sorted(took_s)[25] < 0.05


def test_an_event_of_all_cameras_and_labels_is_put_within_fifty_milliseconds(index: Index) -> None:
    cameras = [f"camera-{number}" for number in range(127)]
    took_s = []
    for number in range(9):
        labels = {f"label {which:02}": f"value {number} of {which}" for which in range(32)}
        each = event(f"large-{number}", at_s=WEEK_S + number, cameras=cameras, labels=labels)
        began = time.monotonic()
        index.put(each)
        took_s.append(time.monotonic() - began)
    print(f"127 cameras, 32 labels: median {sorted(took_s)[4] * 1000:.1f} ms, slowest {max(took_s) * 1000:.1f} ms")
    assert sorted(took_s)[4] < PUT_MAX_S

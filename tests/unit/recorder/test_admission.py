"""Whether one more event can be recorded: the rules alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preroll import wire
from services.recorder.events.admission import (
    CLIP_DESCRIPTORS,
    RESERVED_DESCRIPTORS,
    RESERVED_THREADS,
    Admission,
    Descriptors,
    Promised,
    Supply,
)
from services.recorder.events.rules import CommandRejected, Limits

LIMITS = Limits(5, 10, 120, 60, 3, "separate")
NOTHING = Promised(0, 0, 0)
MIN_FREE_BYTES = 1_000_000_000


def disk(free_bytes: int = 1 << 40, *, is_full: bool = False, **more: object) -> wire.Disk:
    facts = {"total_bytes": 1 << 41, "free_bytes": free_bytes, "clips_bytes": 0, "is_full": is_full, **more}
    return wire.Disk.model_validate(facts)


def refusal(promised: Promised = NOTHING, supply: Supply | None = None, clips: int = 1) -> wire.Refused | None:
    try:
        Admission(LIMITS, MIN_FREE_BYTES).check(promised, supply or Supply(), clips)
    except CommandRejected as err:
        return err.refusal
    return None


def test_what_the_system_does_not_tell_refuses_nothing() -> None:
    assert refusal() is None


@pytest.mark.parametrize(
    ("promised", "supply", "code", "message"),
    [
        (Promised(3, 3, 0), Supply(), "too_many_events", "3 events are active, max_active_events=3"),
        (
            NOTHING,
            Supply(disk(900_000_000, is_full=True)),
            "storage_full",
            "900 MB are free on the clips' disk, min_free_mb=1000",
        ),
        (
            NOTHING,
            Supply(disk(is_full=True, files_free=7)),
            "storage_full",
            "the clips' disk has room for 7 more files (inodes), whatever their size",
        ),
        (NOTHING, Supply(disk(error="it is read-only")), "storage_failed", "it is read-only"),
        (NOTHING, Supply(disk(), "the index is gone"), "storage_failed", "the index is gone"),
        (
            Promised(1, 2, 0),
            Supply(descriptors=Descriptors(150, 82, 4)),
            "out_of_descriptors",
            "3 clips at once need 9 file descriptors; the recorder may have 150, 78 are in use and 64 stay in reserve",
        ),
        (
            Promised(1, 2, 2),
            Supply(threads_free=18),
            "out_of_threads",
            "3 more clips need a thread each; the recorder may start 18 more, and 16 stay in reserve",
        ),
        (
            Promised(1, 2, 1),
            Supply(threads_free=18, threads_owed=1),
            "out_of_threads",
            "3 more clips need a thread each; the recorder may start 18 more, and 16 stay in reserve",
        ),
    ],
)
def test_a_refusal_says_which_figure_broke_which_limit(
    promised: Promised, supply: Supply, code: str, message: str
) -> None:
    refused = refusal(promised, supply)
    assert refused is not None
    assert (refused.code, refused.message) == (code, message)


@pytest.mark.parametrize(
    ("promised", "supply"),
    [
        (Promised(2, 2, 0), Supply()),
        (Promised(1, 2, 0), Supply(descriptors=Descriptors(151, 82, 4))),
        (Promised(1, 2, 2), Supply(threads_free=19)),
    ],
)
def test_the_last_that_fits_is_accepted(promised: Promised, supply: Supply) -> None:
    assert refusal(promised, supply) is None


supplies = st.builds(
    Supply,
    disk=st.none() | st.builds(disk, st.integers(0, 2 * MIN_FREE_BYTES), is_full=st.booleans()),
    descriptors=st.none() | st.builds(Descriptors, st.integers(0, 2_000), st.integers(0, 2_000), st.integers(0, 500)),
    threads_free=st.none() | st.integers(-5, 2_000),
    threads_owed=st.integers(0, 50),
)


@given(events=st.integers(0, 4), clips=st.integers(0, 600), waiting=st.integers(0, 600), supply=supplies)
def test_whatever_was_accepted_has_its_descriptors_and_threads_and_leaves_the_reserve(
    events: int, clips: int, waiting: int, supply: Supply
) -> None:
    promised = Promised(events, clips, min(clips, waiting))
    if refusal(promised, supply, 8) is not None:
        return
    if supply.descriptors is not None:
        others = supply.descriptors.in_use - supply.descriptors.in_clips
        left = supply.descriptors.limit - others - (clips + 8) * CLIP_DESCRIPTORS
        assert left >= RESERVED_DESCRIPTORS
    if supply.threads_free is not None:
        assert supply.threads_free - supply.threads_owed - promised.clips_without_writer - 8 >= RESERVED_THREADS
    assert refusal(promised, supply, 1) is None, "fewer clips fit where more did"

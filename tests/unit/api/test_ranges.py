import pytest

from services.api.ranges import RANGES_MAX, Unsatisfiable, applies, is_known, parse


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=10-", [(10, 100)]),
        ("bytes=-10", [(90, 100)]),
        ("bytes=-1000", [(0, 100)]),
        ("bytes=90-1000", [(90, 100)]),
        ("bytes=0-1, 4-5,-1", [(0, 2), (4, 6), (99, 100)]),
        ("bytes=0-1,200-300", [(0, 2)]),
        ("BYTES=1-2", [(1, 3)]),
    ],
)
def test_ranges_are_clipped_to_the_file(header: str, expected: list[tuple[int, int]]) -> None:
    assert parse(header, 100) == expected


@pytest.mark.parametrize(
    "header", ["", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "items=0-1", "bytes=1-2-3", "bytes=²-3"]
)
def test_what_is_malformed_is_ignored(header: str) -> None:
    assert parse(header, 100) is None


def test_too_many_ranges_are_ignored() -> None:
    assert parse("bytes=" + ",".join(["0-1"] * (RANGES_MAX + 1)), 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=200-300", "bytes=-0"])
def test_nothing_of_the_file_is_unsatisfiable(header: str) -> None:
    with pytest.raises(Unsatisfiable, match="100 bytes"):
        parse(header, 100)


def test_if_range_compares_strongly_and_if_none_match_weakly() -> None:
    assert applies(None, '"a"')
    assert applies('"a"', '"a"')
    assert not applies('"b"', '"a"')
    assert not applies('W/"a"', 'W/"a"')
    assert is_known('"x", W/"a"', '"a"')
    assert is_known("*", '"a"')
    assert not is_known(None, '"a"')

"""How measurements become figures: the kernel's words, spreads, the search for the limit, the footage's order."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.accounting import TICKS_PER_S, cpu_s, ended_children_s, own_cpu_s, pss_in, tree
from bench.footage import there_and_back
from bench.machine import version_in
from bench.search import Search
from bench.spread import latencies, percentile, spread


def test_children_that_have_ended_count_in_ticks() -> None:
    stat = "42 (a (strange) name) S 1 42 42 0 -1 4194304 100 200 0 0 1000 200 30 4 20 0 1 0 99999"
    assert ended_children_s(stat) == pytest.approx(34 / TICKS_PER_S)


def test_a_process_costs_what_all_its_threads_use() -> None:
    before_s, ours_s = own_cpu_s(os.getpid()), time.process_time()
    sum(range(300_000))
    spent_s, ours_s = own_cpu_s(os.getpid()) - before_s, time.process_time() - ours_s
    assert spent_s == pytest.approx(ours_s, rel=0.2)
    assert cpu_s(os.getpid()) >= before_s + spent_s


def test_a_process_that_has_gone_costs_nothing() -> None:
    assert cpu_s(2**22 + 1) == 0


def test_memory_is_the_proportional_share() -> None:
    rollup = "55d0-7ffc ---p 00000000 00:00 0 [rollup]\nRss:  2048 kB\nPss:  1024 kB\nPss_Dirty:  512 kB\n"
    assert pss_in(rollup) == 1024 * 1024
    assert pss_in("") == 0


def test_a_process_that_has_gone_has_no_tree_but_itself() -> None:
    assert tree(2**22 + 1) == [2**22 + 1]


def test_a_spread_names_the_middle_and_both_ends() -> None:
    assert spread([3, 1, 2]) == {"median": 2, "min": 1, "max": 3, "repeats": 3}
    with pytest.raises(ValueError, match="no measurement"):
        spread([])


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([7.0], 0.99) == 7
    assert latencies([0.001, 0.002, 0.003])["p99_ms"] == 3


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026", "5.1.9-0+deb12u1"),
        ("motion Version 4.5.1, Copyright 2000-2021", "4.5.1"),
        ("Docker version 28.2.2, build e6534b4", "28.2.2"),
        ("usage: program", "present"),
    ],
)
def test_a_program_is_shown_by_its_version(said: str, version: str) -> None:
    assert version_in(said) == version


@given(limit=st.integers(1, 300), count_max=st.integers(1, 300))
def test_the_search_ends_within_an_eighth_of_the_limit(limit: int, count_max: int) -> None:
    search = Search(count_max)
    asked = 0
    while (count := search.next_count()) is not None:
        assert 1 <= count <= count_max
        search.tell(count, is_carried=count <= limit)
        asked += 1
        assert asked < 40
    assert search.limit <= limit
    if search.is_open:
        assert search.limit == count_max
    else:
        assert limit - search.limit <= max(1, search.limit // 8)


def test_what_is_lost_once_by_chance_is_tried_again() -> None:
    search = Search(4)
    for count, is_carried in ((1, True), (2, False), (2, True), (4, True)):
        assert search.next_count() == count
        search.tell(count, is_carried=is_carried)
    assert search.next_count() is None
    assert search.limit == 4


def test_a_plain_failure_is_not_tried_again() -> None:
    search = Search(4)
    search.tell(1, is_carried=True)
    search.tell(2, is_carried=False, is_plain=True)
    assert (search.limit, search.next_count()) == (1, None)


def test_a_machine_that_carries_nothing_has_the_limit_0() -> None:
    search = Search(8)
    while (count := search.next_count()) is not None:
        search.tell(count, is_carried=False)
    assert (search.limit, search.is_open) == (0, False)


def test_the_footage_runs_forwards_and_backwards_without_a_cut() -> None:
    shown = [there_and_back(number, 4) for number in range(9)]
    assert shown == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert there_and_back(5, 1) == 0

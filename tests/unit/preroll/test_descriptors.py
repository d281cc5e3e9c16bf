import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from preroll.linux import descriptors


def in_a_process(code: str, soft: int, hard: int) -> str:
    """What `code` prints in a process with these limits."""
    done = subprocess.run(
        [sys.executable, "-c", f"from preroll.linux import descriptors\n{code}"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    assert in_a_process("print(descriptors.raise_limit(), descriptors.limit())", 256, 4_000) == "4000 4000"


def test_a_soft_limit_that_is_the_hard_one_stays() -> None:
    assert in_a_process("print(descriptors.raise_limit())", 300, 300) == "300"


class Limits:
    """A system that grants up to `grants`, in place of the real calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, grants: int) -> None:
        self.now = (soft, hard)
        self._grants = grants
        monkeypatch.setattr(resource, "getrlimit", lambda _: self.now)
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _set(self, _: int, limits: tuple[int, int]) -> None:
        if limits[0] > self._grants:
            raise ValueError("current limit exceeds maximum limit")
        self.now = limits


@pytest.mark.parametrize("hard", [resource.RLIM_INFINITY, 1 << 30])
def test_a_hard_limit_without_bound_is_taken_up_to_what_linux_grants(
    monkeypatch: pytest.MonkeyPatch, hard: int
) -> None:
    limits = Limits(monkeypatch, 1024, hard, grants=1 << 20)
    assert descriptors.raise_limit() == 1 << 20
    assert limits.now == (1 << 20, hard)


def test_a_system_that_grants_less_than_its_hard_limit_is_asked_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    Limits(monkeypatch, 256, resource.RLIM_INFINITY, grants=10_240)
    assert descriptors.raise_limit() == 10_240


def test_where_nothing_is_granted_the_limit_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    Limits(monkeypatch, 1024, 4096, grants=0)
    assert descriptors.raise_limit() == 1024


def test_a_limit_is_never_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    Limits(monkeypatch, 1 << 21, 1 << 30, grants=1 << 30)
    assert descriptors.raise_limit() == 1 << 21


def test_open_descriptors_are_counted() -> None:
    before = descriptors.in_use()
    assert before is not None
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(10)]
    try:
        assert descriptors.in_use() == before + 10
    finally:
        for fd in opened:
            os.close(fd)


def test_open_descriptors_are_counted_where_the_system_states_no_number() -> None:
    """As before Linux 6.2 and on macOS: they are listed, less the one that the listing takes."""
    code = "from pathlib import Path; import sys; sys.platform = 'darwin'; print(descriptors.in_use(Path('/proc/self/fd')))"
    assert in_a_process(code, 100, 100) == "3"


def test_what_cannot_be_counted_is_not_known(tmp_path: Path) -> None:
    assert descriptors.in_use(tmp_path / "none") is None


def test_where_there_is_none_to_count_by_all_are_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> Iterator[Path]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(Path, "iterdir", refuse)
    assert descriptors.in_use() == descriptors.limit()

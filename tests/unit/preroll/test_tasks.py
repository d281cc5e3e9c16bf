from pathlib import Path

import pytest

from preroll.linux import memory, tasks
from preroll.linux.groups import folders


def group(folder: Path, most: str, now: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pids.max").write_text(f"{most}\n")
    (folder / "pids.current").write_text(f"{now}\n")


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def test_threads_left_are_those_of_the_control_group(tmp_path: Path, groups: Path) -> None:
    groups.write_text("0::/system.slice/preroll-recorder.service\n")
    group(tmp_path / "root/system.slice/preroll-recorder.service", "500", 120)
    assert tasks.free(groups, tmp_path / "root") == 380


def test_a_group_above_that_has_fewer_left_decides(tmp_path: Path, groups: Path) -> None:
    groups.write_text("0::/a/b\n")
    group(tmp_path / "root/a/b", "max", 120)
    group(tmp_path / "root/a", "200", 190)
    group(tmp_path / "root", "10000", 300)
    assert tasks.free(groups, tmp_path / "root") == 10


def test_the_older_control_groups_are_read_too(tmp_path: Path, groups: Path) -> None:
    groups.write_text("8:pids:/docker/x\n4:memory:/docker/x\n0::/\n")
    group(tmp_path / "root/pids/docker/x", "64", 60)
    assert tasks.free(groups, tmp_path / "root") == 4


def test_in_a_container_of_the_older_groups_the_root_is_the_containers_own(tmp_path: Path, groups: Path) -> None:
    groups.write_text("8:pids:/docker/x\n")
    group(tmp_path / "root/pids", "64", 50)
    assert tasks.free(groups, tmp_path / "root") == 14


def test_without_a_limit_nothing_is_known(tmp_path: Path, groups: Path) -> None:
    assert tasks.free(groups, tmp_path / "root") is None
    groups.write_text("0::/a\n")
    folders.cache_clear()
    group(tmp_path / "root/a", "max", 50)
    (tmp_path / "root/a/pids.current").write_text("nonsense")
    assert tasks.free(groups, tmp_path / "root") is None


def test_memory_is_that_of_the_narrowest_group(tmp_path: Path, groups: Path) -> None:
    groups.write_text("0::/a/b\n4:memory:/docker/x\n")
    for folder, name, limit in (
        ("a/b", "memory.max", "max"),
        ("a", "memory.max", "2147483648"),
        ("memory/docker/x", "memory.limit_in_bytes", "9223372036854771712"),
    ):
        (tmp_path / "root" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / folder / name).write_text(f"{limit}\n")
    assert memory.limit_bytes(groups, tmp_path / "root") == 2_147_483_648


def test_memory_without_a_limit_is_not_known(tmp_path: Path, groups: Path) -> None:
    assert memory.limit_bytes(groups, tmp_path / "root") is None

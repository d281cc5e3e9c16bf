from pathlib import Path

import pytest

from preroll.linux import tasks


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
    assert tasks.free(groups, (tmp_path / "root",)) == 380


def test_a_group_above_that_has_fewer_left_decides(tmp_path: Path, groups: Path) -> None:
    groups.write_text("0::/a/b\n")
    group(tmp_path / "root/a/b", "max", 120)
    group(tmp_path / "root/a", "200", 190)
    group(tmp_path / "root", "10000", 300)
    assert tasks.free(groups, (tmp_path / "root",)) == 10


def test_the_older_control_groups_are_read_too(tmp_path: Path, groups: Path) -> None:
    groups.write_text("8:pids:/docker/x\n4:memory:/docker/x\n0::/\n")
    group(tmp_path / "pids/docker/x", "64", 60)
    assert tasks.free(groups, (tmp_path / "root", tmp_path / "pids")) == 4


def test_in_a_container_of_the_older_groups_the_root_is_the_containers_own(tmp_path: Path, groups: Path) -> None:
    groups.write_text("8:pids:/docker/x\n")
    group(tmp_path / "pids", "64", 50)
    assert tasks.free(groups, (tmp_path / "pids",)) == 14


def test_without_a_limit_nothing_is_known(tmp_path: Path, groups: Path) -> None:
    assert tasks.free(groups, (tmp_path / "root",)) is None
    groups.write_text("0::/a\n")
    tasks._folders.cache_clear()
    group(tmp_path / "root/a", "max", 50)
    (tmp_path / "root/a/pids.current").write_text("nonsense")
    assert tasks.free(groups, (tmp_path / "root",)) is None

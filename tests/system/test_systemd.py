"""The systemd units are accepted by systemd itself, and expose little."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).resolve().parents[2]
UNITS: Final = sorted((REPOSITORY / "deploy" / "systemd").glob("*.service"))
INSTALLED_PYTHON: Final = "/opt/preroll/.venv/bin/python"
EXPOSURE_MAX: Final = 25  # of 100, as systemd-analyze reckons it; without the hardening it is above 90


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units as they would be installed, but with a Python that is here."""
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("PREROLL_TEST_EVERYTHING"):
            pytest.fail("no systemd-analyze")
        pytest.skip("no systemd-analyze")
    folder = tmp_path_factory.mktemp("units")
    for unit in UNITS:
        text = unit.read_text()
        assert f"ExecStart={INSTALLED_PYTHON} -m services." in text
        (folder / unit.name).write_text(text.replace(INSTALLED_PYTHON, sys.executable))
    return folder


def analyze(*arguments: str) -> str:
    """What systemd-analyze says; it must find nothing wrong."""
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_there_is_a_unit_for_each_service() -> None:
    assert [unit.name for unit in UNITS] == [
        "preroll-api.service",
        "preroll-capture@.service",
        "preroll-recorder.service",
    ]


@pytest.mark.parametrize("unit", [unit.name for unit in UNITS])
def test_systemd_accepts_the_unit(installed: Path, unit: str) -> None:
    told = analyze("verify", "--man=no", str(installed / unit))
    assert [line for line in told.splitlines() if unit.partition(".")[0] in line] == []


@pytest.mark.parametrize("unit", [unit.name for unit in UNITS])
def test_a_unit_has_no_more_rights_than_it_needs(installed: Path, unit: str) -> None:
    analyze("security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE_MAX}", str(installed / unit))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_a_unit_asks_for_descriptors_enough(unit: Path) -> None:
    assert "LimitNOFILE=65536" in unit.read_text().splitlines()

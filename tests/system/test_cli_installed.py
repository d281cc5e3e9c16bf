"""The command line as `pip install .` brings it into an environment of its own.

With PREROLL_TEST_EVERYTHING it is built and installed with all that it needs, as on a stranger's machine. Without, nothing
is fetched: its files and its program are put where pip would put them, and what they need is borrowed from here.
"""

import os
import shutil
import subprocess
import sysconfig
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.support.processes import REPOSITORY

pytestmark = pytest.mark.timeout(180)

EVERYTHING: Final = bool(os.environ.get("PREROLL_TEST_EVERYTHING"))
COMMANDS: Final = ("trigger", "events", "show", "get", "cameras", "logs", "watch", "keys")
# What bash does when a person types `preroll tri` and presses the tab key.
COMPLETE: Final = """
preroll --install-completion >&2 || exit
. ~/.bashrc
found=$(complete -p preroll) || exit
completer=${found##*-F } completer=${completer%% *}
COMP_WORDS=(preroll tri) COMP_CWORD=1
"$completer" preroll
echo "${COMPREPLY[@]}"
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with nothing of the repository but the installed package."""

    programs: Path
    home: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREROLL_", "PYTHON"))}
        environment = {**kept, "PATH": f"{self.programs}:{kept['PATH']}", "HOME": str(self.home), "NO_COLOR": "1"}
        return subprocess.run(
            command, cwd=self.home, env=environment, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    home = folder / "home"
    home.mkdir()
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", REPOSITORY, clone], check=True)
    environment = folder / "venv"
    venv.create(environment, with_pip=EVERYTHING)
    programs = environment / "bin"
    if EVERYTHING:
        subprocess.run([programs / "pip", "install", "--quiet", "--disable-pip-version-check", clone], check=True)
        return Installed(programs, home)
    (packages,) = environment.glob("lib/python*/site-packages")
    shutil.copytree(clone / "preroll", packages / "preroll")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    project = tomllib.loads((clone / "pyproject.toml").read_text())["project"]
    module, _, name = project["scripts"]["preroll"].partition(":")
    program = programs / "preroll"
    program.write_text(f"#!{programs / 'python'}\nimport sys\nfrom {module} import {name}\nsys.exit({name}())\n")
    program.chmod(0o755)
    return Installed(programs, home)


def test_the_installed_command_tells_what_it_can_do(installed: Installed) -> None:
    told = installed.run("preroll", "--help")
    assert told.returncode == 0, told.stderr
    assert all(name in told.stdout for name in COMMANDS)
    version = installed.run("preroll", "--version").stdout
    assert version == ("0.1.0\n" if EVERYTHING else "not installed: run from its folder\n")
    for name in COMMANDS:
        assert installed.run("preroll", name, "--help").returncode == 0, name
    assert installed.run("preroll", "cameras", "--url", "http://127.0.0.1:9").returncode == 5


def test_nothing_of_the_services_is_installed_with_it(installed: Installed) -> None:
    found = "import importlib.util as util; print(util.find_spec('services'), util.find_spec('tests'))"
    assert installed.run("python", "-c", found).stdout == "None None\n"
    where = installed.run("python", "-c", "import preroll.cli; print(preroll.cli.__file__)").stdout
    assert where.startswith(str(installed.programs.parent)), where


def test_the_shell_learns_to_complete_the_command(installed: Installed) -> None:
    completed = installed.run("bash", "-c", COMPLETE)
    assert (completed.returncode, completed.stdout) == (0, "trigger\n"), completed.stderr


def test_keys_says_what_it_needs_where_that_is_missing(installed: Installed) -> None:
    made = installed.run("preroll", "keys", str(installed.home / "keys"))
    if EVERYTHING:
        assert (made.returncode, made.stdout) == (1, "")
        assert "pip install pyzmq" in made.stderr
    else:  # it borrows pyzmq too
        assert len(made.stdout.splitlines()) == 12

"""What the figures were measured on."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import zmq

from bench.footage import REPOSITORY

PACKAGES: Final = ("pyzmq", "av", "opencv-python-headless", "numpy", "msgpack", "pydantic", "fastapi", "uvicorn")
PROGRAMS: Final = {
    "ffmpeg": ["ffmpeg", "-version"],
    "motion": ["motion", "-h"],
    "docker": ["docker", "--version"],
}


def described() -> dict[str, Any]:
    """Processor, memory, kernel and the versions of all that takes part."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "system": _system(),
        "python": platform.python_version(),
        "versions": {**_packages(), "libzmq": zmq.zmq_version(), **_programs()},
    }


def commit() -> str:
    """The commit that is measured, with a plus when the work tree differs from it."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return said.stdout.strip() or "unknown"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _programs() -> dict[str, str]:
    found: dict[str, str] = {}
    for program, command in PROGRAMS.items():
        if shutil.which(program) is not None:
            said = subprocess.run(command, capture_output=True, text=True, check=False)
            found[program] = version_in(said.stdout or said.stderr)
    return found


def version_in(said: str) -> str:
    """What stands behind the word "version" in the first lines of a program's own account."""
    found = re.search(r"\bversion\s+([^\s,]+)", said, re.IGNORECASE)
    return found[1] if found else "present"

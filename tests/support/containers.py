"""Compose projects of their own names and ports, for tests that judge the images and the compose files."""

import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY, System
from tests.support.waiting import wait_until


def engine_is_there() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


class Compose:
    """One project of its own name, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.system = System(folder)  # of which only the HTTP side is used
        self.name = f"preroll-test-{uuid.uuid4().hex[:8]}"
        self.files = ["compose.yaml"]
        self.environment: dict[str, str] = {}

    def __call__(self, *arguments: str, check: bool = True) -> str:
        """`docker compose` with these arguments; its output."""
        done = self.run(*arguments)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(arguments)}: {done.stdout}\n{done.stderr}")
        return done.stdout

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        files = [part for file in self.files for part in ("--file", str(REPOSITORY / file))]
        return subprocess.run(
            ["docker", "compose", "--project-name", self.name, *files, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "PREROLL_PORT": str(self.system.http_port), **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def wait_healthy(self, *services: str, timeout_s: float = 60) -> None:
        """Wait until Docker's health checks say so."""

        def healthy() -> bool:
            states = [self.inspect(service)["State"] for service in services]
            return all(isinstance(state, dict) and state["Health"]["Status"] == "healthy" for state in states)

        wait_until(healthy, timeout_s, f"{', '.join(services)} healthy")

    def down(self) -> None:
        self.system.http.close()
        self("down", "--volumes", "--timeout", "5", check=False)

    def containers(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self("ps", "--all", "--format", "json").splitlines()]

    def inspect(self, service: str) -> dict[str, object]:
        ids = self("ps", "--quiet", service).split()
        told = subprocess.run(["docker", "inspect", ids[0]], capture_output=True, text=True, check=True).stdout
        facts: dict[str, object] = json.loads(told)[0]
        return facts


def need_engine() -> None:
    """Skip the test where there is no Docker Engine; fail it where everything is to be tested."""
    if not engine_is_there():
        if os.environ.get("PREROLL_TEST_EVERYTHING"):
            pytest.fail("no Docker Engine")
        pytest.skip("no Docker Engine")

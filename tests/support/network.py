"""A network of our own: a namespace at the end of a cable that can be pulled, with names that can be changed."""

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

LOCALHOST: Final = "127.0.0.1 localhost\n"


class Namespace:
    """Run processes in it with `within=namespace.command`. It has the address `inside`; we have `outside` and `beside`.

    Needs root: without it the test is skipped, or fails where everything is to be tested.
    """

    def __init__(self) -> None:
        if os.geteuid() != 0:
            if os.environ.get("PREROLL_TEST_EVERYTHING"):
                pytest.fail("network namespaces need root")
            pytest.skip("network namespaces need root")
        number = os.getpid() % 64_000
        self._name = f"preroll{number}"
        self._cable = f"pr{number}"
        self._folder = Path("/etc/netns") / self._name
        network = f"10.{200 + number // 2560}.{number // 10 % 256}"
        self.inside = f"{network}.2"
        self.outside = f"{network}.1"
        self.beside = f"{network}.3"
        self.command = ("ip", "netns", "exec", self._name)

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        self.name_hosts({})
        _ip("netns", "add", self._name)
        try:
            _ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self._name)
            _ip("address", "add", f"{self.outside}/24", "dev", self._cable)
            _ip("address", "add", f"{self.beside}/24", "dev", self._cable)
            _ip("link", "set", self._cable, "up")
            _ip("-n", self._name, "address", "add", f"{self.inside}/24", "dev", "eth0")
            _ip("-n", self._name, "link", "set", "eth0", "up")
            _ip("-n", self._name, "link", "set", "lo", "up")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove()

    def pull_cable(self) -> None:
        _ip("link", "set", self._cable, "down")

    def plug_cable(self) -> None:
        _ip("link", "set", self._cable, "up")

    def name_hosts(self, hosts: dict[str, str]) -> None:
        """From now on these names resolve, and no others. The file keeps its inode: it is mounted where it is read."""
        lines = [f"{address} {name}\n" for name, address in hosts.items()]
        (self._folder / "hosts").write_text(LOCALHOST + "".join(lines))
        (self._folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")

    def _remove(self) -> None:
        _ip("netns", "delete", self._name)
        shutil.rmtree(self._folder)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)

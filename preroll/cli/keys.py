"""`preroll keys`: CURVE keys for ZeroMQ between the services. The only command that speaks to nobody."""

import os
import re
from pathlib import Path
from typing import Annotated, Final

import typer

from preroll.cli.exits import ExitCode, Stopped
from preroll.cli.session import reported

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", re.ASCII)


def keys(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the keys go; made if need be.")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="A pair for each; else server and client.")
    ] = None,
) -> None:
    """Write CURVE key pairs: NAME.public, and NAME.secret, which only its owner may read.

    Each is 40 characters of Z85 and a newline. Nothing that is there is overwritten.
    """
    with reported():
        write_pairs(folder, list(dict.fromkeys(names or ["server", "client"])))


def write_pairs(folder: Path, names: list[str]) -> None:
    """A pair for each name, and their paths on stdout. `Stopped` before anything is written when one is there."""
    try:
        import zmq
    except ImportError as err:
        raise Stopped(ExitCode.FAILED, "keys needs pyzmq, which is not installed here: pip install pyzmq") from err
    for name in names:
        if not _NAME.fullmatch(name):
            raise Stopped(ExitCode.MISUSED, f"{name[:80]!r} is no name for a key: A-Z a-z 0-9 _ -, at most 63")
    if not zmq.has("curve"):
        raise Stopped(ExitCode.FAILED, "this pyzmq was built without CURVE")
    there = [path for name in names for path in _paths(folder, name) if os.path.lexists(path)]
    if there:
        raise Stopped(ExitCode.REFUSED, f"{there[0]} is there already; keys are never overwritten")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in names:
        for path, mode, key in zip(_paths(folder, name), (0o644, 0o600), zmq.curve_keypair(), strict=True):
            _write_new(path, mode, key)
            typer.echo(path)


def _paths(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.public", folder / f"{name}.secret"


def _write_new(path: Path, mode: int, key: bytes) -> None:
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(key + b"\n")

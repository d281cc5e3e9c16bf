"""`preroll keys`: CURVE keys for ZeroMQ between the services. The only command that speaks to nobody."""

from pathlib import Path
from typing import Annotated

import typer

from preroll.cli.exits import ExitCode, Stopped
from preroll.cli.session import reported


def keys(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the keys go; made if need be.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", help="A camera's id, or its Compose service's name; else recorder, api and capture."
        ),
    ] = None,
) -> None:
    """Write CURVE keys: public/NAME.server and .client, and NAME/server.secret and client.secret for NAME alone.

    A key speaks for the camera NAME and for NAME-<number>; `capture` for all that have none. Each is 40 characters of Z85 and a newline. Nothing that is there is overwritten.
    """
    with reported():
        write(folder, names or [])


def write(folder: Path, names: list[str]) -> None:
    """Keys for each name, and the paths of the files on stdout. `Stopped` before anything is written."""
    try:
        import zmq
    except ImportError as err:
        raise Stopped(ExitCode.FAILED, "keys needs pyzmq, which is not installed here: pip install pyzmq") from err
    if not zmq.has("curve"):
        raise Stopped(ExitCode.FAILED, "this pyzmq was built without CURVE")
    from preroll.keys import SERVICES, KeysExist, write_pairs

    try:
        for path in write_pairs(folder, names or SERVICES):
            typer.echo(path)
    except KeysExist as err:
        raise Stopped(ExitCode.REFUSED, str(err)) from err
    except ValueError as err:
        raise Stopped(ExitCode.MISUSED, str(err)) from err

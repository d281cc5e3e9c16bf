"""What every command that speaks to the API has in common: its options, its client, and how it ends."""

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Concatenate, Final, get_type_hints

import httpx
import typer

from preroll.cli.api import Api
from preroll.cli.exits import ExitCode, Stopped
from preroll.cli.terminal import Terminal

DEFAULT_URL: Final = "http://127.0.0.1:8000"
KEY_MAX_BYTES: Final = 4_096
_PANEL: Final = "Connection"


def _options(
    url: Annotated[
        str, typer.Option("--url", envvar="PREROLL_URL", metavar="URL", rich_help_panel=_PANEL, help="The API.")
    ] = DEFAULT_URL,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            envvar="PREROLL_KEY",
            metavar="KEY",
            rich_help_panel=_PANEL,
            help="The API's key. Other users of the machine see it in the list of processes; --key-file hides it.",
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            rich_help_panel=_PANEL,
            help="A file with the key; before --key and PREROLL_KEY.",
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(
            "--ca", metavar="FILE", rich_help_panel=_PANEL, help="Certificates (PEM) to trust instead of the system's."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", rich_help_panel=_PANEL, help="Print the API's documents as they are.")
    ] = False,
) -> None:
    """Never called: its parameters are added to those of every connected command."""


@dataclass(frozen=True, slots=True)
class Session:
    """One run of a command against an API."""

    api: Api
    terminal: Terminal
    as_json: bool


def connected(command: Callable[Concatenate[Session, ...], None]) -> Callable[..., None]:
    """Turn `command(session, …)` into one that typer can register, with the options of the connection."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    common = list(inspect.signature(_options, eval_str=True).parameters.values())

    def run(*, url: str, key: str | None, key_file: Path | None, ca: Path | None, as_json: bool, **given: Any) -> None:
        with reported(), open_api(url, key if key_file is None else _read_key(key_file), ca) as api:
            command(Session(api, Terminal(), as_json), **given)

    hints = {**get_type_hints(command, include_extras=True), **get_type_hints(_options, include_extras=True)}
    run.__name__ = command.__name__
    run.__doc__ = command.__doc__
    run.__annotations__ = {parameter.name: hints[parameter.name] for parameter in (*own, *common)}
    keyword_only = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *common)]
    run.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
    return run


def open_api(url: str, key: str | None, ca: Path | None) -> Api:
    return Api(url, key, ca)


@contextmanager
def reported() -> Iterator[None]:
    """Ends a command that could not do its work with one line on stderr and its exit code."""
    try:
        yield
    except Stopped as err:
        raise _ended(err.code, str(err)) from err
    except BrokenPipeError:
        raise  # `preroll events | head` is no failure of ours; typer ends it quietly
    except OSError as err:
        where = f"{err.filename}: " if err.filename else ""
        raise _ended(ExitCode.FAILED, f"{where}{err.strerror or err}") from err
    except httpx.HTTPError as err:
        raise _ended(ExitCode.AWAY, f"{type(err).__name__}: {err}") from err
    except (LookupError, TypeError, ValueError, AttributeError) as err:
        if os.environ.get("PREROLL_TRACEBACK"):
            raise
        said = f"the answer is not as expected ({type(err).__name__}: {err}); PREROLL_TRACEBACK=1 shows where"
        raise _ended(ExitCode.FAILED, said) from err


def _ended(code: ExitCode, message: str) -> typer.Exit:
    Terminal().say(message)
    return typer.Exit(code)


def _read_key(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(KEY_MAX_BYTES).decode("ascii").strip()
    except (OSError, ValueError) as err:
        raise Stopped(ExitCode.MISUSED, f"--key-file {path}: {err}") from err

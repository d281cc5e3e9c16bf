"""The commands together: `preroll`."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final

import typer

from preroll.cli import cameras, doctor, events, get, keys, logs, trigger, watch

EPILOG: Final = (
    "Exit codes: 0 done, 1 failed, 2 used wrongly, 3 not found, 4 refused, 5 the API or the recorder is away, "
    "6 not in time, 130 Ctrl-C. Data goes to stdout, talk to stderr. No proxy of the environment is used."
)

app = typer.Typer(
    name="preroll",
    help="Triggers, finds and fetches the clips of a Preroll system.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(version("preroll"))
        except PackageNotFoundError:
            typer.echo("not installed: run from its folder")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    del show_version


for _command in (
    trigger.trigger,
    events.events,
    events.show,
    get.get,
    cameras.cameras,
    doctor.doctor,
    logs.logs,
    watch.watch,
    keys.keys,
):
    app.command()(_command)


def main() -> None:
    """Run the command of `sys.argv`."""
    app(prog_name="preroll")

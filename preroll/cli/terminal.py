"""What is shown: data on stdout, talk on stderr, and nothing that could steer the terminal.

Labels, messages and names come from afar: their control characters are shown, never sent.
"""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

# A pipe has no width, and what is cut off there is lost.
UNBOUNDED_WIDTH: Final = 2_000

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
STYLE_OF: Final = {
    "live": "green",
    "ready": "green",
    "saved": "cyan",
    "recording": "bold yellow",
    "scheduled": "blue",
    "starting": "yellow",
    "stalled": "bold red",
    "lost": "bold red",
    "failed": "bold red",
    "ok": "green",
    "warning": "yellow",
    "problem": "bold red",
    "WARNING": "yellow",
    "ERROR": "bold red",
    "CRITICAL": "bold white on red",
    "DEBUG": "dim",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; left out where the terminal is narrower than `from_width` characters."""

    name: str
    from_width: int = 0
    justify: Literal["left", "right"] = "left"


class Terminal:
    """The two ends of the command line."""

    def __init__(self) -> None:
        piped = None if sys.stdout.isatty() or "COLUMNS" in os.environ else UNBOUNDED_WIDTH
        self.out = Console(width=piped, highlight=False, markup=False, emoji=False)
        self.err = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def json(self, document: str) -> None:
        """The API's document as it is, ended by a newline."""
        sys.stdout.write(document if document.endswith("\n") else document + "\n")
        sys.stdout.flush()

    def line(self, text: Text) -> None:
        """One line, never broken here: a terminal breaks it itself, a pipe must not."""
        self.out.print(text, soft_wrap=True)

    def say(self, message: str) -> None:
        """Talk: on stderr, in one line."""
        self.err.print(f"preroll: {clean(message)}", soft_wrap=True)


def table(columns: Sequence[Column], rows: Iterable[Sequence[str | Text]], width: int) -> Table:
    """A table for `width` characters. Long cells are folded, not cut: an id must be copied whole."""
    shown = [column.from_width <= width for column in columns]
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column, is_shown in zip(columns, shown, strict=True):
        if is_shown:
            made.add_column(column.name, justify=column.justify, overflow="fold")
    for row in rows:
        cells = [cell for cell, is_shown in zip(row, shown, strict=True) if is_shown]
        made.add_row(*(cell if isinstance(cell, Text) else Text(clean(cell)) for cell in cells))
    return made


def clean(text: str) -> str:
    r"""The text with its control characters written out: `\x1b` for escape, `\n` for a line's end."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def state(name: str) -> Text:
    return Text(clean(name), style=STYLE_OF.get(name, ""))


def moment(rfc3339: str) -> str:
    """`2026-03-01T12:00:00.250000Z` as `2026-03-01 12:00:00.250Z`; anything else as it is."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d\.\d{3})\d*Z", rfc3339)
    return f"{found[1]} {found[2]}Z" if found else clean(rfc3339)


def size(size_bytes: float) -> str:
    """Bytes for people, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 999.5:
            return f"{size_bytes:.0f} {unit}" if unit == "B" or size_bytes >= 99.5 else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def labels(given: dict[str, str]) -> str:
    return " ".join(f"{clean(key)}={clean(value)}" for key, value in given.items())

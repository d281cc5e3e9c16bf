"""Requests that nobody would think of, made from the OpenAPI document and judged by it (schemathesis)."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RUN: Final = "from schemathesis.cli import schemathesis; schemathesis()"
ENDLESS: Final = "^/logs$|/live$"
# Not every rule can be written as a schema (no moment after 2100; at and at_frame exclude each other), so what the schema
# allows may be refused, as long as the refusal is documented.
NOT_CHECKED: Final = "positive_data_acceptance"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a run: `told` is all that was said, `found_nothing` whether every answer was as documented."""

    found_nothing: bool
    told: str

    @property
    def operations(self) -> int:
        """How many operations were tried."""
        (tested,) = re.findall(r"Tested: (\d+)", self.told)
        return int(tested)


def judge_by_document(url: str, folder: Path, *not_checked: str, **options: str) -> Judgement:
    """Try every operation of the API at `url` that ends; what schemathesis remembers stays in `folder`."""
    given = {
        "--seed": "1",
        "--exclude-path-regex": ENDLESS,
        "--exclude-checks": ",".join((NOT_CHECKED, *not_checked)),
        "--request-timeout": "10",
        **{f"--{name.replace('_', '-')}": value for name, value in options.items()},
    }
    ran = subprocess.run(
        [sys.executable, "-c", RUN, "run", f"{url}/openapi.json", "--continue-on-failure"]
        + [text for option in given.items() for text in option],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return Judgement(ran.returncode == 0, ran.stdout + ran.stderr)

"""The command line against answers that a test makes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from preroll.cli.api import Api
from preroll.cli.app import app
from tests.support.answering import Handler

Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `preroll` with `arguments` against `handler`, on a terminal of `columns` characters."""
    for name in ("PREROLL_URL", "PREROLL_KEY", "PREROLL_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)

    def run_it(handler: Handler, *arguments: str, columns: int = 200, **env: str) -> Any:
        def open_api(url: str, key: str | None, ca: Path | None) -> Api:
            return Api(url, key, ca, httpx.MockTransport(handler))

        monkeypatch.setattr("preroll.cli.session.open_api", open_api)
        return CliRunner().invoke(app, list(arguments), env={"COLUMNS": str(columns), **env}, catch_exceptions=False)

    return run_it

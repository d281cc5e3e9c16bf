"""What docs/security.md says in its tables is held to the code."""

import re
from pathlib import Path
from typing import Final, get_args

import pytest

from preroll import wire
from preroll.security.permissions import SERVICES, SHARED, Domain, lets_in, owner_of
from preroll.settings import ServiceSettings
from services.api import schemas
from services.api.settings import ApiSettings
from services.capture.settings import CaptureSettings
from services.recorder.settings import RecorderSettings

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs/security.md").read_text()


def table(first_cell: str) -> list[list[str]]:
    """The cells of the table whose head begins with that cell, the head first."""
    found, *_ = re.findall(rf"^\| {re.escape(first_cell)} \|.*\n(?:\|.*\n)+", PAGE, re.MULTILINE)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in found.splitlines()]
    return [rows[0], *rows[2:]]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_what_each_key_may_use_is_as_written() -> None:
    head, *rows = table("key")
    domains: list[Domain] = ["frames", "control", "query", "bus", "watch"]
    assert head == ["key", *domains[:-1], "a capture's own socket"]
    assert set(domains) == set(get_args(Domain))
    written = {row[0]: [cell == "yes" for cell in row[1:]] for row in rows}
    assert {name for row in written for name in names(row)} == {*SERVICES, SHARED}
    for row, allowed in written.items():
        for name in [*names(row), *(["door"] if "camera" in row else [])]:
            assert [lets_in(domain, name) for domain in domains] == allowed, name


@pytest.mark.parametrize("row", table("camera")[1:], ids=" ".join)
def test_which_key_speaks_for_a_camera_is_as_written(row: list[str]) -> None:
    (camera_id,) = names(row[0])
    assert owner_of(camera_id, frozenset(names(row[1]))) == (None if row[2] == "none" else names(row[2])[0])


def test_the_ports_are_as_written() -> None:
    settings: dict[str, type[ServiceSettings]] = {
        "RECORDER": RecorderSettings,
        "API": ApiSettings,
        "CAPTURE": CaptureSettings,
    }
    ports = table("port")[1:7]
    assert len(ports) == 6
    for row in ports:
        port, name = row[0].split()
        _, service, field = name.strip("`").split("_", 2)
        default = settings[service].model_fields[field.lower()].default
        assert (default is None and port == "none") or str(default).endswith(port), row


def test_where_refusals_are_counted_is_as_written() -> None:
    counters = {name for row in table("what")[1:] for name in names(row[1])} - {"GET /status", "GET /cameras"}
    known = {
        *(f"losses.{name}" for name in wire.Losses.model_fields),
        *(f"recorder.{name}" for name in wire.RecorderHealth.model_fields),
        *schemas.Status.model_fields,
    }
    assert counters <= known, counters - known
    assert "losses.refused_foreign_key" in counters

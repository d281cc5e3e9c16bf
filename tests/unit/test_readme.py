"""What is written about settings and units is held to the code."""

import importlib
import re
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic_core import PydanticUndefined

from preroll.settings import ServiceSettings

REPOSITORY: Final = Path(__file__).resolve().parents[2]
README: Final = (REPOSITORY / "README.md").read_text()
ROW: Final = re.compile(r"^\| `(PREROLL_[A-Z0-9_]+)` \| (.*?) \|", re.MULTILINE)


def documented(service: str) -> dict[str, str]:
    return {name: default for name, default in ROW.findall(README) if name.startswith(f"PREROLL_{service.upper()}_")}


def settings_of(service: str) -> type[ServiceSettings]:
    module = importlib.import_module(f"services.{service}.settings")
    (found,) = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, ServiceSettings) and kind is not ServiceSettings
    ]
    return found


def shown(default: Any) -> str | None:
    if default is PydanticUndefined:
        return None
    if default is None:
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


@pytest.mark.parametrize("service", [path.parent.name for path in sorted(REPOSITORY.glob("services/*/settings.py"))])
def test_every_setting_is_in_the_readme_with_its_default(service: str) -> None:
    in_code = {
        f"PREROLL_{service}_{name}".upper(): shown(field.default)
        for name, field in settings_of(service).model_fields.items()
    }
    in_readme = documented(service)
    assert sorted(in_readme) == sorted(in_code)
    wrong = {name: (in_readme[name], want) for name, want in in_code.items() if want not in {None, in_readme[name]}}
    assert wrong == {}


@pytest.mark.parametrize("page", sorted(path.name for path in (REPOSITORY / "docs").glob("*.md")))
def test_no_page_names_a_setting_that_does_not_exist(page: str) -> None:
    known = {name for service in ("capture", "recorder", "api") for name in documented(service)}
    named = re.findall(
        r"\bPREROLL_(?:CAPTURE|RECORDER|API)_[A-Z0-9_]*[A-Z0-9]", (REPOSITORY / "docs" / page).read_text()
    )
    assert set(named) <= known


def test_the_page_about_systemd_names_units_and_folders_as_they_are() -> None:
    page = (REPOSITORY / "docs/without-docker.md").read_text()
    units = {path.name: path.read_text() for path in (REPOSITORY / "deploy/systemd").glob("*.service")}
    named = set(re.findall(r"preroll-(?:api|recorder|capture@)", page))
    assert {f"{name}.service" for name in named} == set(units)
    for folder in ("/opt/preroll", "/etc/preroll/", "/var/lib/preroll/clips"):
        assert folder in page
        assert any(folder in unit for unit in units.values()), folder

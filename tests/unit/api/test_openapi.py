"""The OpenAPI document: complete, unambiguous, with an example for all that is sent."""

import re
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from services.api import schemas
from services.api.app import create_app
from services.api.examples import BODIES, PROBLEMS
from services.api.links import LINKS
from services.api.openapi import OPEN, VERSION
from services.api.parts import Parts
from services.api.problems import ProblemBody

PICTURES: Final = ("image/", "video/", "multipart/", "application/zip")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(cast("Parts", SimpleNamespace())).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, listed in document["paths"].items()
        for method, operation in listed.items()
    ]


def test_each_operation_has_an_id_of_its_own(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids)) > 20


def test_all_that_is_sent_has_an_example(document: dict[str, Any]) -> None:
    for route, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert "example" in parameter, (route, parameter["name"])
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert "example" in content, route
        for status, response in operation["responses"].items():
            for media, content in response.get("content", {}).items():
                if not media.startswith(PICTURES) and not route.endswith("clips/{file_name}"):
                    assert "example" in content, (route, status, media)


def test_every_error_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    for route, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and (route, status) != ("GET /readyz", "503"):
                assert list(response["content"]) == ["application/problem+json"], (route, status)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return own.union(*(references(inner) for inner in node.values())) if node else own
        return set().union(*(references(inner) for inner in node)) if isinstance(node, list) else set()

    for reference in references(document):
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        assert target


def test_every_link_gives_the_next_request_what_its_path_needs(document: dict[str, Any]) -> None:
    by_id = {operation["operationId"]: (route, operation) for route, operation in operations(document)}
    found = 0
    for _, operation in operations(document):
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                route, target = by_id[link["operationId"]]
                given = set(link["parameters"])
                assert set(re.findall(r"\{(\w+)\}", route)) <= given, route
                assert given <= {parameter["name"] for parameter in target["parameters"]}, route
                found += 1
    assert found == sum(len(links) for links in LINKS.values())


def test_every_route_but_the_open_ones_asks_for_a_key(document: dict[str, Any]) -> None:
    without = {route.split()[1] for route, operation in operations(document) if operation.get("security") == []}
    assert without == set(OPEN)


def test_the_examples_are_what_their_models_take() -> None:
    schemas.Trigger.model_validate(BODIES["POST /trigger"])
    schemas.Amendment.model_validate(BODIES["PATCH /events/{event_id}"])
    schemas.Protection.model_validate(BODIES["PUT /events/{event_id}/protection"])
    schemas.SignIn.model_validate(BODIES["POST /session"])
    for problem in PROBLEMS.values():
        ProblemBody.model_validate(problem)


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION

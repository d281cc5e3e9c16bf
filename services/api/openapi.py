"""What the OpenAPI document says beyond what the routes tell: the problems, who may do what, examples, links."""

from typing import Any, Final

from fastapi import FastAPI

from services.api.access import COOKIE
from services.api.examples import BODIES, PARAMETERS, PROBLEMS, RESPONSES
from services.api.links import LINKS
from services.api.problems import ProblemBody

VERSION: Final = "0.1.0"
OPEN: Final = ("/healthz", "/readyz", "/session")
_PROBLEM: Final = "application/problem+json"
_REFERENCE: Final = "#/components/schemas/{model}"


def describe(app: FastAPI) -> None:
    """Complete the app's OpenAPI document."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(make())
        return make()

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["ProblemBody"] = ProblemBody.model_json_schema(ref_template=_REFERENCE)
    for unused in ("HTTPValidationError", "ValidationError"):  # what is invalid is told as a problem too
        schemas.pop(unused, None)
    _hoist(document, schemas)
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    }
    document["security"] = [{"bearer": []}, {"key": []}, {"cookie": []}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path in OPEN:
                operation["security"] = []
            _give_examples(operation, f"{method.upper()} {path}")
    _give_links(document["paths"])


def _hoist(document: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Put the models that a body's schema brought with it where its references point."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schemas.update(content["schema"].pop("$defs", {}))


def _give_examples(operation: dict[str, Any], route: str) -> None:
    for parameter in operation.get("parameters", []):
        parameter.setdefault("example", PARAMETERS[parameter["name"]])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = BODIES[route]
    for status, response in operation["responses"].items():
        if int(status) >= 400 and not (status == "503" and route == "GET /readyz"):
            example = {"type": "about:blank", **PROBLEMS[status]}
            schema = {"$ref": _REFERENCE.format(model="ProblemBody")}
            response["content"] = {_PROBLEM: {"schema": schema, "example": example}}
        elif (route, status) in RESPONSES:
            (content,) = response["content"].values()
            content["example"] = RESPONSES[route, status]


def _give_links(paths: dict[str, Any]) -> None:
    """What of an answer names the target of the next request: the flow from a trigger to its clips."""
    for (route, status), links in LINKS.items():
        _operation(paths, route)["responses"][status]["links"] = {
            name: {"operationId": _operation(paths, to)["operationId"], "parameters": dict(parameters)}
            for name, (to, parameters) in links.items()
        }


def _operation(paths: dict[str, Any], route: str) -> dict[str, Any]:
    method, path = route.split()
    operation: dict[str, Any] = paths[path][method.lower()]
    return operation

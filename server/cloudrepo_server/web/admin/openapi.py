"""The admin API as a table: what routes are made from, and the OpenAPI document."""

from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.web.admin.schemas import ErrorAnswer
from cloudrepo_server.web.http.middleware import with_middlewares

Schemas = list[tuple[Any, dict[str, Any]]]

_REFERENCE = "#/components/schemas/{name}"
_BINARY = {"type": "string", "format": "binary"}


class Operation(msgspec.Struct, frozen=True):
    """One operation: its handler, what it takes and every answer that it may give."""

    method: str
    path: str
    handler: Handler
    answer: type[msgspec.Struct] | None
    body: Any = None
    """A type that msgspec decodes to, or None."""
    status: HTTPStatus = HTTPStatus.OK
    refusals: tuple[HTTPStatus, ...] = ()
    takes_file: bool = False
    query: dict[str, Any] = msgspec.field(default_factory=dict)

    def route(self, *middlewares: Middleware) -> web.RouteDef:
        """Return the operation's route, with its handler wrapped in the middlewares."""
        # A placeholder takes all but a slash: an e-mail address may hold braces.
        path = self.path.replace("}", ":[^/]+}")
        return web.route(self.method, path, with_middlewares(self.handler, *middlewares))


def openapi_document(operations: list[Operation], *, version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 description of the operations (https://spec.openapis.org/oas/v3.1.0)."""
    types: list[Any] = [ErrorAnswer]
    for operation in operations:
        types += [each for each in (operation.answer, operation.body) if each is not None]
    described, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    schemas = list(zip(types, described, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = paths.setdefault(operation.path, {})
        path[operation.method.lower()] = _describe(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CloudRepo admin API of pytest-cloudrepo",
            "version": version,
            "description": "Repositories, users, tokens and what was published.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"admin": {"type": "http", "scheme": "basic"}},
        },
        "security": [{"admin": []}],
    }


def _describe(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    summary = (operation.handler.__doc__ or "").strip()
    described: dict[str, Any] = {
        "summary": summary,
        "operationId": operation.handler.__name__,
        "responses": _answers(operation, schemas),
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _placeholders(operation.path)
    ] + [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in operation.query.items()
    ]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _json(operation.body, schemas)}
    if operation.takes_file:
        described["requestBody"] = {
            "required": True,
            "content": {"application/octet-stream": {"schema": _BINARY}},
        }
    return described


def _answers(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    success: dict[str, Any] = {"description": operation.status.phrase}
    if operation.answer is not None:
        success["content"] = _json(operation.answer, schemas)
    refusals = {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.SERVICE_UNAVAILABLE,
        *operation.refusals,
    }
    if operation.body is not None or operation.takes_file or operation.query:
        refusals |= {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
    if operation.method not in ("GET", "HEAD"):
        refusals.add(HTTPStatus.INSUFFICIENT_STORAGE)
    if "{" in operation.path:
        refusals.add(HTTPStatus.NOT_FOUND)
    return {str(operation.status.value): success} | {
        str(status.value): {"description": status.phrase, "content": _json(ErrorAnswer, schemas)}
        for status in sorted(refusals)
    }


def _json(type_: Any, schemas: Schemas) -> dict[str, Any]:  # noqa: ANN401 (a type or a union)
    schema = next(schema for each, schema in schemas if each is type_)
    return {"application/json": {"schema": schema}}


def _placeholders(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]

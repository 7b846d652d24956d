"""Operations of the admin API: each is a route and an entry of the OpenAPI document."""

from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.web.admin.content_type import JSON, require_json
from cloudrepo_server.web.admin.responses import ErrorResponse
from cloudrepo_server.web.http.middleware import with_middlewares

Schemas = list[tuple[Any, dict[str, Any]]]

_REFERENCE = "#/components/schemas/{name}"
_BINARY = {"type": "string", "format": "binary"}


class Operation(msgspec.Struct, frozen=True):
    """An operation: its URL and handler, the parameters and body of a request, and all responses.

    The summary in the OpenAPI document is the first line of the handler's docstring.
    """

    method: str
    path: str
    handler: Handler
    response: type[msgspec.Struct] | None = None
    """The JSON body of the response, or None if it has no body."""
    body: Any = None
    """The JSON body of the request as a type that msgspec decodes, or None for no JSON."""
    status: HTTPStatus = HTTPStatus.OK
    rejections: tuple[HTTPStatus, ...] = ()
    """The status codes of rejections, besides those that follow from the other fields."""
    takes_file: bool = False
    """Whether the body of the request is a file."""
    form: Any = None
    """For a form with files: the type of its field `details`, which msgspec decodes; or else None.

    Each file is a part of the form, named `content`.
    """
    query: dict[str, Any] = msgspec.field(default_factory=dict)
    """The JSON schema of each query parameter; all are optional."""

    def route(self, *middlewares: Middleware) -> web.RouteDef:
        """Return the operation's route, with its handler wrapped in the middlewares.

        If it takes JSON, requests with another content type are rejected.
        """
        # A placeholder matches everything but a slash: an e-mail address may contain braces.
        path = self.path.replace("}", ":[^/]+}")
        own = () if self.body is None else (require_json,)
        return web.route(self.method, path, with_middlewares(self.handler, *middlewares, *own))


def openapi_document(operations: list[Operation], *, version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the operations (https://spec.openapis.org/oas/v3.1.0).

    Args:
        operations: the operations.
        version: the version of the API.
    """
    types: list[Any] = [ErrorResponse]
    for operation in operations:
        types += [
            type_
            for type_ in (operation.response, operation.body, operation.form)
            if type_ is not None
        ]
    references, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    schemas = list(zip(types, references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = paths.setdefault(operation.path, {})
        path[operation.method.lower()] = _describe(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CloudRepo admin API of pytest-cloudrepo",
            "version": version,
            "description": "Manages repositories, their files, users and tokens, and what tests "
            "need: journals, faults, impersonations and CI jobs.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"admin": {"type": "http", "scheme": "basic"}},
        },
        "security": [{"admin": []}],
    }


def _describe(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    summary, *_ = (operation.handler.__doc__ or "").strip().splitlines()
    described: dict[str, Any] = {
        "summary": summary,
        "operationId": operation.handler.__name__,
        "responses": _responses(operation, schemas),
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
    if operation.form is not None:
        described["requestBody"] = {"required": True, "content": _form(operation.form, schemas)}
    return described


def _responses(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    success: dict[str, Any] = {"description": operation.status.phrase}
    if operation.response is not None:
        success["content"] = _json(operation.response, schemas)
    rejections = {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.SERVICE_UNAVAILABLE,
        *operation.rejections,
    }
    has_body = operation.body is not None or operation.takes_file or operation.form is not None
    if has_body or operation.query:
        rejections |= {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
    if operation.body is not None:
        rejections.add(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if operation.method not in ("GET", "HEAD"):
        rejections.add(HTTPStatus.INSUFFICIENT_STORAGE)
    if "{" in operation.path:
        rejections.add(HTTPStatus.NOT_FOUND)
    return {str(operation.status.value): success} | {
        str(status.value): {"description": status.phrase, "content": _json(ErrorResponse, schemas)}
        for status in sorted(rejections)
    }


def _form(details: Any, schemas: Schemas) -> dict[str, Any]:  # noqa: ANN401 (as `_json`)
    content = {"type": "array", "items": _BINARY}
    properties = {"details": _schema(details, schemas), "content": content}
    return {"multipart/form-data": {"schema": {"type": "object", "properties": properties}}}


def _json(type_: Any, schemas: Schemas) -> dict[str, Any]:  # noqa: ANN401 (a type or a union)
    return {JSON: {"schema": _schema(type_, schemas)}}


def _schema(type_: Any, schemas: Schemas) -> dict[str, Any]:  # noqa: ANN401 (as `_json`)
    return next(schema for each, schema in schemas if each is type_)


def _placeholders(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]

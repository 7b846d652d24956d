"""Wraps a handler in middlewares that only some routes need."""

from functools import partial

from aiohttp.typedefs import Handler, Middleware


def with_middlewares(handler: Handler, *middlewares: Middleware) -> Handler:
    """Return the handler wrapped in these middlewares, the first one outermost."""
    for middleware in reversed(middlewares):
        handler = partial(middleware, handler=handler)
    return handler

"""Responses to calls of PyPI's XML-RPC API, which this server does not imitate."""

from typing import Final

from aiohttp import web

# PyPI responds to calls of removed methods with this code.
_CODE: Final = -32500
_TEXT: Final = (
    "RuntimeError: This server does not imitate the XML-RPC API of PyPI. Use the simple API or the "
    "JSON API instead; in bandersnatch, set api-method = simple."
)

XML_RPC: Final = ("pypi",)
"""The path of the API below the URL of the index, in segments."""


def xml_rpc_fault() -> web.Response:
    """Return a fault that says what to use instead, which XML-RPC clients show."""
    # Imported here because few clients use this API, and the import is slow.
    from xmlrpc.client import Fault, dumps

    return web.Response(text=dumps(Fault(_CODE, _TEXT)), content_type="text/xml")

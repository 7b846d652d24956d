"""The middleware that writes the journal of each repository.

Each GET, HEAD or POST request with a valid path to an existing repository has an entry.
"""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.specs.filenames import METADATA_SUFFIX
from cloudrepo_server.testkit.journal import EntryKind
from cloudrepo_server.testkit.registry import TestkitRegistry
from cloudrepo_server.web.http.paths import IndexPath
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.index.resolve import resolved
from cloudrepo_server.web.ops.recording import new_entry, record_request


def write_journal(testkit: TestkitRegistry) -> Middleware:
    """Return the middleware that adds each request to the journal of its repository.

    The entry is added when the request arrives, as the `details` of the request's state. Handlers
    fill in the details; `complete_entries` adds the response just before it is sent.
    """

    @web.middleware
    async def journal(request: web.Request, handler: Handler) -> web.StreamResponse:
        path, repository = resolved(state_of(request))
        entry = new_entry(request, _kind_of(request.method, path), path=path.path)
        if repository is None:
            return await record_request(testkit, None, entry, request, handler)
        entry.repository = repository.name
        return await record_request(testkit, repository.document.id, entry, request, handler)

    return journal


def _kind_of(method: str, path: IndexPath) -> EntryKind:
    """Return the kind of a request from its method and path, even if it will be rejected."""
    if method == "POST":
        return "upload"
    if path.names_page:
        return "page" if path.parts and path.parts != ("simple",) else "root"
    return "metadata" if path.parts[-1].endswith(METADATA_SUFFIX) else "file"

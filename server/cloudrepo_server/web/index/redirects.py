"""Redirects to the URL of a page with the normalized name and a slash at the end."""

from aiohttp import web

from cloudrepo_server.web.index.read_target import ReadTarget


def redirect_to_canonical(request: web.Request, target: ReadTarget, status: int) -> web.Response:
    """Return the redirect to the canonical URL of a page, or of a project's JSON.

    The new path differs from the client's own path, which may be one of an impersonated host, in
    the name and the slash only.
    """
    path, _, query = request.rel_url.raw_path_qs.partition("?")
    segments = path.rstrip("/").split("/")
    if target.kind == "json":
        segments[-2 if target.version is None else -3] = target.project
    else:
        if target.kind == "page":
            segments[-1] = target.project
        segments.append("")
    location = "/".join(segments) + (f"?{query}" if query else "")
    return web.Response(status=status, headers={"Location": location})

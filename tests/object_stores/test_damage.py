"""Damaged documents of a shared store are listed, and can be deleted through any server."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import obstore

from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.object_stores.engines import Engine


def test_a_damaged_document_is_listed_and_deleted(
    index: Index, index_on_second: Index, engine: Engine, url: str
) -> None:
    index.publish(wheel(), wheel("other"))
    (key,) = (key for key in engine.keys(url) if key.endswith("/p-demo.json"))
    prefix = urlsplit(url).path.strip("/")
    obstore.put(engine.store(), f"{prefix}/{key}", b"[" * 1000)
    assert index_on_second.get("/demo/").status_code == 503
    (damaged,) = index_on_second.server.api_json("GET", "/damaged")["damaged"]
    assert (damaged["kind"], damaged["key"]) == ("project", key)
    assert f"the stored document {key} cannot be read" in damaged["reason"]

    path = f"/damaged/{quote(key, safe='')}"
    assert index_on_second.server.api("DELETE", path).status_code == 204
    assert index_on_second.server.api("DELETE", path).status_code == 404
    for each in (index, index_on_second):
        assert each.server.api_json("GET", "/damaged") == {"damaged": []}
        assert each.get("/demo/").status_code == 404
        assert each.file(wheel("other"), "other").content == wheel("other").data
    index.publish(wheel())
    assert index_on_second.file(wheel()).content == wheel().data

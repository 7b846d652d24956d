"""The admin API's OpenAPI document."""

import requests

from tests.support.index import Server


def test_the_document_can_be_read_by_anybody(own_server: Server) -> None:
    answer = requests.get(f"{own_server.url}/api/openapi.json", timeout=10)

    document = answer.json()
    assert document["openapi"] == "3.1.0"
    assert document["components"]["securitySchemes"]["admin"]["scheme"] == "basic"
    assert "/api/repositories/{name}/faults" in document["paths"]

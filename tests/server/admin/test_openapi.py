"""The admin API's OpenAPI document."""

import requests

from tests.support.index import Server


def test_the_document_needs_no_credentials(own_server: Server) -> None:
    response = requests.get(f"{own_server.url}/api/openapi.json", timeout=10)

    document = response.json()
    assert document["openapi"] == "3.1.0"
    assert document["components"]["securitySchemes"]["admin"]["scheme"] == "basic"
    assert "/api/repositories/{name}/faults" in document["paths"]

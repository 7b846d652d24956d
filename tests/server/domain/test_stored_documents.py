"""The stored format: documents that earlier versions wrote stay readable."""

from __future__ import annotations

import msgspec

from cloudrepo_server.models import (
    SETTINGS,
    File,
    ProjectDocument,
    RepositoryDocument,
    SerialsDocument,
    TokenDocument,
    UserDocument,
)

REPOSITORY = b"""{"revision": "r1", "earlier": ["r0"], "id": "0123456789abcdef", "name": "demo",
    "overwrite_protection": true, "public": false, "dialect": "pypi", "rules": "none",
    "max_file_size": 10, "max_project_size": 100, "max_release_age": 1.5, "max_summary": 20,
    "prohibited_names": ["taken"],
    "upstream": ["other"], "upstream_strategy": "best-version",
    "upstream_file_origins": ["https://files.example.com"], "digests": ["md5"],
    "page_max_age": 60, "files": "redirect", "file_url_seconds": 5.0, "logins": "any",
    "anonymous": "read", "private_projects": ["acme-*"], "no_login_status": 403,
    "no_access_status": 404, "minted_token_seconds": 60.0,
    "disabled_identity_providers": ["gitlab"], "run": "a-run",
    "created": "2026-01-31T12:00:00.000000Z", "publishers": [{"id": "0123456789abcdef",
    "provider": "github", "fields": {"repository": "acme/demo", "workflow": "release.yml"},
    "project": "demo", "pending": true, "created": "2026-01-31T12:00:00.000000Z"}]}"""
REPOSITORY_OF_0_1 = b"""{"revision": "r1", "id": "0123456789abcdef", "name": "demo",
    "overwrite_protection": true, "created": "2026-01-31T12:00:00.000000Z"}"""
PROJECT = b"""{"revision": "r1", "earlier": [], "name": "demo", "files": {"demo-1.0.tar.gz": {
    "filename": "demo-1.0.tar.gz", "version": "1.0", "size": 3, "sha256": "abc",
    "blob": "blobs/0123456789abcdef/1", "upload_time": "2026-01-31T12:00:00.000000Z",
    "uploader": "user@example.com", "metadata_sha256": "def",
    "metadata_blob": "blobs/0123456789abcdef/2", "yanked": "broken"}},
    "status": "deprecated", "status_reason": "old", "deleted": ["demo-0.1.tar.gz"]}"""
SERIALS = b"""{"revision": "r1", "earlier": [], "last": 7, "projects": {"demo": [7, "r1"]},
    "settings": "r2"}"""
USER = b"""{"revision": "r1", "earlier": [], "email": "user@example.com",
    "passphrase": "sha256$00", "read_only": true, "run": null,
    "created": "2026-01-31T12:00:00.000000Z"}"""
TOKEN = b"""{"revision": "r1", "earlier": [], "id": "0123456789abcdef", "repository": "demo",
    "repository_id": "fedcba9876543210", "secret": "00", "read_only": false,
    "created": "2026-01-31T12:00:00.000000Z", "projects": ["demo"],
    "publisher": "github:acme/demo/release.yml", "expires": 1769860800.5,
    "name": "release", "chosen_key": "tokens/chosen.json", "last_used": 1769857200.0,
    "attestation_publisher": {"kind": "GitHub", "repository": "acme/demo", "environment": null}}"""
TOKEN_OF_0_1 = b"""{"revision": "r1", "id": "0123456789abcdef", "repository": "demo",
    "repository_id": "fedcba9876543210", "secret": "00", "read_only": false,
    "created": "2026-01-31T12:00:00.000000Z"}"""


def test_a_repository_is_readable_and_written_with_the_same_fields() -> None:
    document = msgspec.json.decode(REPOSITORY, type=RepositoryDocument)
    assert (document.id, document.run, document.earlier) == ("0123456789abcdef", "a-run", ("r0",))
    assert document.settings == {
        "overwrite_protection": True,
        "public": False,
        "dialect": "pypi",
        "rules": "none",
        "max_file_size": 10,
        "max_project_size": 100,
        "max_release_age": 1.5,
        "max_summary": 20,
        "prohibited_names": ("taken",),
        "upstream": ("other",),
        "upstream_strategy": "best-version",
        "upstream_file_origins": ("https://files.example.com",),
        "digests": ("md5",),
        "page_max_age": 60,
        "files": "redirect",
        "file_url_seconds": 5.0,
        "logins": "any",
        "anonymous": "read",
        "private_projects": ("acme-*",),
        "no_login_status": 403,
        "no_access_status": 404,
        "minted_token_seconds": 60.0,
        "disabled_identity_providers": ("gitlab",),
    }
    assert document.settings.keys() == {setting.name for setting in SETTINGS}
    assert msgspec.json.decode(msgspec.json.encode(document)) == msgspec.json.decode(REPOSITORY)


def test_documents_without_the_fields_of_trusted_publishing_are_readable() -> None:
    repository = msgspec.json.decode(REPOSITORY_OF_0_1, type=RepositoryDocument)
    assert (repository.publishers, repository.minted_token_seconds) == ((), 900.0)
    token = msgspec.json.decode(TOKEN_OF_0_1, type=TokenDocument)
    assert (token.projects, token.publisher, token.expires) == (None, None, None)


def test_a_project_is_readable_and_written_with_the_same_fields() -> None:
    document = msgspec.json.decode(PROJECT, type=ProjectDocument)
    file = document.files["demo-1.0.tar.gz"]
    assert isinstance(file, File)
    assert file.blobs == ("blobs/0123456789abcdef/1", "blobs/0123456789abcdef/2")
    assert msgspec.json.decode(msgspec.json.encode(document)) == msgspec.json.decode(PROJECT)


def test_users_and_tokens_are_readable_and_written_with_the_same_fields() -> None:
    user = msgspec.json.decode(USER, type=UserDocument)
    token = msgspec.json.decode(TOKEN, type=TokenDocument)
    assert msgspec.json.decode(msgspec.json.encode(user)) == msgspec.json.decode(USER)
    assert msgspec.json.decode(msgspec.json.encode(token)) == msgspec.json.decode(TOKEN)


def test_serials_are_readable_and_written_with_the_same_fields() -> None:
    document = msgspec.json.decode(SERIALS, type=SerialsDocument)
    assert (document.last, document.settings) == (7, "r2")
    assert {name: each.number for name, each in document.projects.items()} == {"demo": 7}
    assert msgspec.json.decode(msgspec.json.encode(document)) == msgspec.json.decode(SERIALS)


def test_a_repository_without_newer_settings_has_their_defaults() -> None:
    newer = {"rules", "max_project_size", "max_release_age", "max_summary", "prohibited_names"}
    fields = msgspec.json.decode(REPOSITORY)
    older = {key: value for key, value in fields.items() if key not in newer}
    document = msgspec.json.decode(msgspec.json.encode(older), type=RepositoryDocument)
    assert [document.settings[name] for name in sorted(newer)] == [None, None, None, (), None]

"""Trusted publishers: the jobs that may publish with an identity token of their provider.

A repository's trusted publishers are in its document, so they are read with it, deleted with it,
and changed by one conditional write.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from cloudrepo_server.changes import note_change
from cloudrepo_server.domain.identity_issuer import require_extra
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import (
    ConflictError,
    NotFoundError,
    RepositoryNotFoundError,
    TokenRequestError,
)
from cloudrepo_server.keys import repository_key
from cloudrepo_server.limits import MAX_PUBLISHERS
from cloudrepo_server.models import RepositoryDocument, TrustedPublisher
from cloudrepo_server.specs.filenames import check_project_name
from cloudrepo_server.specs.timestamps import now
from cloudrepo_server.storage import Documents

if TYPE_CHECKING:
    from cloudrepo_server.specs.identity_providers.provider import Claims, Provider

_Publishers = tuple[TrustedPublisher, ...]
_Change = Callable[[_Publishers], _Publishers]


class TrustedPublishers:
    """The trusted publishers of an organization's repositories."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def add(
        self,
        repository: Repository,
        provider: str,
        fields: Mapping[str, str],
        *,
        project: str | None = None,
    ) -> TrustedPublisher:
        """Register a trusted publisher, and return it.

        Args:
            repository: the repository to which it may publish.
            provider: the name of the identity provider.
            fields: what identifies the job.
            project: the only project that it may publish; by default any project. If the project
                does not exist, the publisher is pending.

        Raises:
            InvalidError: the provider, a field or the project's name is not valid; or the extra
                `trust` is not installed.
            ConflictError: the repository has this publisher, or too many publishers.
        """
        require_extra()
        from cloudrepo_server.specs.identity_providers.table import get_provider

        normalized = None if project is None else check_project_name(project)
        publisher = TrustedPublisher(
            id=secrets.token_hex(8),
            provider=provider,
            fields=get_provider(provider).check_fields(fields),
            project=normalized,
            pending=normalized is not None and not await _exists(repository, normalized),
            created=now(),
        )

        def add(existing: _Publishers) -> _Publishers:
            if any(_is_same(publisher, other) for other in existing):
                raise ConflictError(
                    f"The trusted publisher {describe(publisher)} already exists in the "
                    f"repository {repository.name}."
                )
            if len(existing) >= MAX_PUBLISHERS:
                raise ConflictError(
                    f"The repository {repository.name} has {MAX_PUBLISHERS} trusted publishers, "
                    "which is the limit: remove one first."
                )
            return (*existing, publisher)

        await self._change(repository, add)
        note_change("add-publisher", repository=repository.name, subject=describe(publisher))
        return publisher

    async def remove(self, repository: Repository, publisher_id: str) -> None:
        """Remove a trusted publisher. Tokens that were minted for it stay valid until they expire.

        Raises:
            NotFoundError: the repository has no such publisher.
        """
        removed: list[str] = []

        def remove(existing: _Publishers) -> _Publishers:
            removed[:] = [describe(each) for each in existing if each.id == publisher_id]
            kept = tuple(each for each in existing if each.id != publisher_id)
            if len(kept) == len(existing):
                raise NotFoundError(
                    f"The trusted publisher {publisher_id[:64]} was not found in the repository "
                    f"{repository.name}."
                )
            return kept

        await self._change(repository, remove)
        note_change("remove-publisher", repository=repository.name, subject=removed[0])

    async def activate(
        self, repository: Repository, publishers: Sequence[TrustedPublisher]
    ) -> None:
        """Activate the pending publishers among these publishers, and reserve their projects.

        Raises:
            TokenRequestError: with the code `invalid-pending-publisher`, a project already exists
                or another publisher has reserved it, and the publisher was removed. With the code
                `invalid-payload`, PyPI's rules apply and do not allow the name of a project.
            StorageError: the store did not respond.
        """
        pending = [each for each in publishers if each.pending]
        if not pending:
            return
        for each in pending if repository.applies_rules else ():
            _check_name(repository, each.project or "")
        late: set[str] = {
            each.id for each in pending if await _exists(repository, each.project or "")
        }

        def activate(existing: _Publishers) -> _Publishers:
            reserved = {each.project for each in existing if not each.pending}
            late.update(each.id for each in pending if each.project in reserved)
            ids = {each.id for each in pending}
            return tuple(
                msgspec.structs.replace(each, pending=False) if each.id in ids else each
                for each in existing
                if each.id not in late
            )

        await self._change(repository, activate)
        if late:
            raise TokenRequestError(
                "invalid-pending-publisher", "valid token, but project already exists"
            )

    async def _change(self, repository: Repository, change: _Change) -> None:
        def update(existing: RepositoryDocument | None) -> RepositoryDocument:
            if existing is None or existing.id != repository.document.id:
                raise RepositoryNotFoundError(repository.name)
            return msgspec.structs.replace(existing, publishers=change(existing.publishers))

        await self._documents.change(repository_key(repository.name), RepositoryDocument, update)


def find_publishers(
    document: RepositoryDocument, provider: "Provider", claims: "Claims"
) -> list[TrustedPublisher]:
    """Return the most specific publishers of a repository that match claims.

    Raises:
        TokenRequestError: no publisher matches; the code is `invalid-publisher`.
    """
    from cloudrepo_server.specs.identity_providers.provider import ClaimError

    try:
        stated = provider.stated(claims)
    except ClaimError as error:
        raise _no_publisher(str(error)) from None
    candidates = [each for each in document.publishers if each.provider == provider.name]
    differences = [(provider.first_difference(each.fields, stated), each) for each in candidates]
    matching = [each for difference, each in differences if difference is None]
    if matching:
        most = max(len(each.fields) for each in matching)
        return [each for each in matching if len(each.fields) == most]
    reason = "Publisher with matching claims was not found"
    if len(differences) == 1:
        difference, publisher = differences[0]
        reason += f"; for {describe(publisher)}, {difference}"
    elif differences:
        described = ", ".join(describe(each) for each in candidates[:3])
        reason += f"; the publishers of {provider.title} are {described}"
    else:
        reason += f"; the repository has no publisher of {provider.title}"
    raise _no_publisher(reason)


def describe(publisher: TrustedPublisher) -> str:
    """Return a publisher as one text, such as `github:acme/demo/release.yml`."""
    from cloudrepo_server.specs.identity_providers.specification import format_publisher

    return format_publisher(publisher.provider, publisher.fields)


def in_provenance(publisher: TrustedPublisher) -> dict[str, str | None]:
    """Return a publisher as provenance objects show it."""
    from cloudrepo_server.specs.identity_providers.table import get_provider

    return get_provider(publisher.provider).provenance(publisher.fields)


async def _exists(repository: Repository, project: str) -> bool:
    return await repository.project(project) is not None


def _check_name(repository: Repository, project: str) -> None:
    from cloudrepo_server.specs.pypi_rules.project_names import check_new_name

    prohibited = repository.document.prohibited_names
    for finding in check_new_name(project, prohibited=prohibited):
        raise TokenRequestError("invalid-payload", finding.message)


def _is_same(publisher: TrustedPublisher, other: TrustedPublisher) -> bool:
    return (publisher.provider, publisher.fields, publisher.project) == (
        other.provider,
        other.fields,
        other.project,
    )


def _no_publisher(reason: str) -> TokenRequestError:
    return TokenRequestError(
        "invalid-publisher", f"valid token, but no corresponding publisher ({reason})"
    )

"""The admin API's operations on trusted publishers, CI jobs and identity tokens."""

from dataclasses import asdict
from http import HTTPStatus

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.web.admin import bodies, responses
from cloudrepo_server.web.http.request_body import read_json
from cloudrepo_server.web.http.responses import json_response
from cloudrepo_server.web.http.urls import base_url_of
from cloudrepo_server.web.trust.jobs import create_job, identify_job


class TrustApi:
    """The handlers of requests for the trusted publishers of a repository, and for their jobs."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    async def list_publishers(self, request: web.Request) -> web.Response:
        """List the trusted publishers of a repository, oldest first."""
        repository = await self._repository(request)
        publishers = [
            responses.PublisherResponse.of(each) for each in repository.document.publishers
        ]
        return json_response(responses.PublishersResponse(publishers))

    async def create_publisher(self, request: web.Request) -> web.Response:
        """Register a trusted publisher. It is pending if its project does not exist."""
        repository = await self._repository(request)
        body = await read_json(request, bodies.NewPublisher)
        publisher = await self._organization.publishers.add(
            repository, body.provider, body.fields, project=body.project
        )
        return json_response(responses.PublisherResponse.of(publisher), status=HTTPStatus.CREATED)

    async def delete_publisher(self, request: web.Request) -> web.Response:
        """Remove a trusted publisher; tokens minted for it stay valid until they expire."""
        repository = await self._repository(request)
        await self._organization.publishers.remove(repository, request.match_info["id"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def create_job(self, request: web.Request) -> web.Response:
        """Return the identity of a CI job, with which its programs request identity tokens."""
        repository = await self._repository(request)
        body = await read_json(request, bodies.NewJob)
        job = await create_job(
            self._organization,
            repository,
            body.provider,
            body.claims,
            url=base_url_of(request),
        )
        response = responses.JobResponse(**asdict(job))
        return json_response(response, status=HTTPStatus.CREATED)

    async def create_identity_token(self, request: web.Request) -> web.Response:
        """Return an identity token of a CI job."""
        from cloudrepo_server.domain.identity_tokens import issue_token

        repository = await self._repository(request)
        body = await read_json(request, bodies.NewIdentityToken)
        token = await issue_token(
            self._organization.issuer,
            await identify_job(self._organization, repository, body.provider, body.claims),
            audience=body.audience,
            expires_in=body.expires_in,
            valid_in=body.valid_in,
        )
        return json_response(responses.IdentityTokenResponse(token), status=HTTPStatus.CREATED)

    async def _repository(self, request: web.Request) -> Repository:
        return await self._organization.repository(request.match_info["name"])

"""The routes of the admin API: one list of all operations."""

from http import HTTPStatus

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.stale_runs import StaleRunsReport
from cloudrepo_server.testkit.fault_kinds import FaultSpecification
from cloudrepo_server.testkit.results import ResultOfTest
from cloudrepo_server.web.admin import bodies as b
from cloudrepo_server.web.admin import responses as r
from cloudrepo_server.web.admin.access import require_admin
from cloudrepo_server.web.admin.connection import ConnectionApi
from cloudrepo_server.web.admin.damage import DamageApi
from cloudrepo_server.web.admin.faults import FaultApi
from cloudrepo_server.web.admin.files import FileApi
from cloudrepo_server.web.admin.https_listeners import HttpsApi
from cloudrepo_server.web.admin.impersonations import ImpersonationApi
from cloudrepo_server.web.admin.journal import COUNT, JournalApi
from cloudrepo_server.web.admin.openapi import Operation, openapi_document
from cloudrepo_server.web.admin.repositories import RepositoryApi
from cloudrepo_server.web.admin.sign_in_links import SignInLinkApi
from cloudrepo_server.web.admin.sweep import SweepApi
from cloudrepo_server.web.admin.trust import TrustApi
from cloudrepo_server.web.admin.users import TokenApi, UserApi
from cloudrepo_server.web.http.responses import json_response
from cloudrepo_server.web.impersonation.https_listeners import HttpsListener, HttpsListeners
from cloudrepo_server.web.impersonation.proxy import Proxy
from cloudrepo_server.web.ops.recording import record_changes

_OPENAPI_PATH = "/api/openapi.json"

_CREATED = HTTPStatus.CREATED
_NO_CONTENT = HTTPStatus.NO_CONTENT
_CONFLICT = (HTTPStatus.CONFLICT,)
_NOT_FOUND = (HTTPStatus.NOT_FOUND,)


class AdminApi:
    """The admin API of an organization."""

    def __init__(self, organization: Organization, proxy: Proxy, https: HttpsListeners) -> None:
        self._organization = organization
        self._operations = _operations(organization, proxy, https)

    def routes(self) -> list[web.RouteDef]:
        """Return the admin API's routes. All but the OpenAPI document require the admin user."""
        admin_only = require_admin(self._organization)
        record = record_changes(self._organization.testkit)
        return [
            web.get(_OPENAPI_PATH, self.describe),
            *(operation.route(record, admin_only) for operation in self._operations),
        ]

    async def describe(self, _: web.Request) -> web.Response:
        """Return the OpenAPI document of the admin API."""
        # Imported here because few servers receive this request.
        from importlib.metadata import version

        return json_response(
            openapi_document(self._operations, version=version("pytest-cloudrepo"))
        )


def _operations(organization: Organization, proxy: Proxy, https: HttpsListeners) -> list[Operation]:
    repositories, users, tokens = (
        RepositoryApi(organization),
        UserApi(organization),
        TokenApi(organization),
    )
    journal, faults = JournalApi(organization), FaultApi(organization)
    impersonations = ImpersonationApi(organization, proxy)
    damage = DamageApi(organization)
    repository = "/api/repositories/{name}"
    project, file = repository + "/projects/{project}", repository + "/files/{filename}"
    return [
        Operation(
            "GET", "/api/repositories", repositories.list_repositories, r.RepositoriesResponse
        ),
        Operation(
            "POST",
            "/api/repositories",
            repositories.create_repository,
            r.RepositoryResponse,
            body=b.NewRepository,
            status=_CREATED,
            rejections=_CONFLICT,
        ),
        Operation("GET", repository, repositories.show_repository, r.RepositoryResponse),
        Operation(
            "PATCH",
            repository,
            repositories.change_repository,
            r.RepositoryResponse,
            body=b.RepositorySettings,
        ),
        Operation("DELETE", repository, repositories.delete_repository, status=_NO_CONTENT),
        Operation(
            "PUT",
            repository + "/test",
            repositories.put_test,
            body=ResultOfTest,
            status=_NO_CONTENT,
            rejections=_CONFLICT,
        ),
        Operation("GET", repository + "/projects", repositories.list_projects, r.ProjectsResponse),
        Operation("GET", project, repositories.show_project, r.ProjectResponse),
        Operation(
            "PATCH",
            project,
            repositories.change_project,
            r.ProjectResponse,
            body=b.ProjectChange,
        ),
        Operation(
            "PUT",
            repository + "/files",
            FileApi(organization).put_files,
            r.AddedFilesResponse,
            form=b.FilesDetails,
            rejections=_CONFLICT,
        ),
        Operation(
            "PUT",
            file,
            repositories.put_file,
            r.FileResponse,
            takes_file=True,
            rejections=_CONFLICT,
            query={"upload_time": {"type": "string", "format": "date-time"}},
        ),
        Operation(
            "PATCH",
            file,
            repositories.change_file,
            r.FileResponse,
            body=b.FileChange,
        ),
        Operation("DELETE", file, repositories.delete_file, status=_NO_CONTENT),
        Operation(
            "GET",
            repository + "/requests",
            journal.list_requests,
            r.RequestsResponse,
            rejections=_CONFLICT,
            query={"after": COUNT, "limit": COUNT},
        ),
        Operation(
            "DELETE",
            repository + "/requests",
            journal.clear_requests,
            status=_NO_CONTENT,
            rejections=_CONFLICT,
        ),
        Operation(
            "GET",
            repository + "/connection",
            ConnectionApi(organization).show_connection,
            r.ConnectionResponse,
            query={"user": {"type": "string"}},
        ),
        Operation(
            "GET",
            repository + "/faults",
            faults.list_faults,
            r.FaultsResponse,
            rejections=_CONFLICT,
        ),
        Operation(
            "POST",
            repository + "/faults",
            faults.create_fault,
            r.FaultResponse,
            body=FaultSpecification,
            status=_CREATED,
            rejections=_CONFLICT,
        ),
        Operation(
            "DELETE",
            repository + "/faults",
            faults.clear_faults,
            status=_NO_CONTENT,
            rejections=_CONFLICT,
        ),
        Operation(
            "DELETE",
            repository + "/faults/{id}",
            faults.delete_fault,
            status=_NO_CONTENT,
            rejections=_CONFLICT,
        ),
        Operation(
            "POST",
            repository + "/impersonations",
            impersonations.create_impersonation,
            r.ImpersonationResponse,
            body=b.NewImpersonation,
            status=_CREATED,
            rejections=_CONFLICT,
        ),
        Operation(
            "DELETE",
            repository + "/impersonations/{id}",
            impersonations.delete_impersonation,
            status=_NO_CONTENT,
            rejections=_CONFLICT,
        ),
        *_trust_operations(TrustApi(organization), repository),
        Operation("GET", "/api/users", users.list_users, r.UsersResponse),
        Operation(
            "POST",
            "/api/users",
            users.create_user,
            r.UserResponse,
            body=b.NewUser,
            status=_CREATED,
            rejections=_CONFLICT,
        ),
        Operation(
            "PATCH", "/api/users/{email}", users.change_user, r.UserResponse, body=b.UserChange
        ),
        Operation("DELETE", "/api/users/{email}", users.delete_user, status=_NO_CONTENT),
        Operation("GET", "/api/tokens", tokens.list_tokens, r.TokensResponse),
        Operation(
            "POST",
            "/api/tokens",
            tokens.create_token,
            r.TokenResponse,
            body=b.NewToken,
            status=_CREATED,
            rejections=(*_NOT_FOUND, *_CONFLICT),
        ),
        Operation(
            "PATCH", "/api/tokens/{id}", tokens.change_token, r.TokenResponse, body=b.TokenChange
        ),
        Operation("DELETE", "/api/tokens/{id}", tokens.delete_token, status=_NO_CONTENT),
        Operation(
            "POST",
            "/api/sign-in-links",
            SignInLinkApi(organization).create_link,
            r.SignInLinkResponse,
            body=b.NewSignInLink,
            status=_CREATED,
            rejections=(*_NOT_FOUND, *_CONFLICT),
        ),
        Operation(
            "POST",
            "/api/https",
            HttpsApi(https).open_https,
            HttpsListener,
            body=b.HttpsOptions,
        ),
        Operation("GET", "/api/damaged", damage.list_damaged, r.DamagedDocumentsResponse),
        Operation("DELETE", "/api/damaged/{key}", damage.delete_damaged, status=_NO_CONTENT),
        Operation(
            "POST",
            "/api/sweep",
            SweepApi(organization).sweep,
            StaleRunsReport,
            body=b.Sweep,
        ),
    ]


def _trust_operations(trust: TrustApi, repository: str) -> list[Operation]:
    publishers = repository + "/publishers"
    return [
        Operation("GET", publishers, trust.list_publishers, r.PublishersResponse),
        Operation(
            "POST",
            publishers,
            trust.create_publisher,
            r.PublisherResponse,
            body=b.NewPublisher,
            status=_CREATED,
            rejections=_CONFLICT,
        ),
        Operation("DELETE", publishers + "/{id}", trust.delete_publisher, status=_NO_CONTENT),
        Operation(
            "POST",
            repository + "/jobs",
            trust.create_job,
            r.JobResponse,
            body=b.NewJob,
            status=_CREATED,
        ),
        Operation(
            "POST",
            repository + "/identity-tokens",
            trust.create_identity_token,
            r.IdentityTokenResponse,
            body=b.NewIdentityToken,
            status=_CREATED,
        ),
    ]

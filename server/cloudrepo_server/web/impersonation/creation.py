"""Creates impersonations, with the certificates that they need."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.testkit.impersonated_urls import IndexUrls, parse_url_prefix
from cloudrepo_server.testkit.impersonation import Impersonation, ProxyLogin
from cloudrepo_server.web.impersonation.certificates import CertificateAuthority
from cloudrepo_server.web.impersonation.proxy import Proxy


class CreatedImpersonation(NamedTuple):
    """An impersonation, and the CA certificate that its clients must trust, if there is one."""

    impersonation: Impersonation
    certificate: str | None

    def proxy_url(self, proxy: Proxy, host: str) -> str:
        """Return the URL of the proxy for the clients of this impersonation.

        Args:
            proxy: the proxy.
            host: the host at which the clients reach the proxy.

        Raises:
            InvalidError: the proxy is not listening.
        """
        _, port = proxy.address_for(self.impersonation)
        url_host = f"[{host}]" if ":" in host else host
        own = self.impersonation.proxy_login
        login = f"{self.impersonation.id}:{self.impersonation.secret}"
        if own is not None:
            login = f"{quote(own.username, safe='')}:{quote(own.password, safe='')}"
        return f"http://{login}@{url_host}:{port}"


async def create_impersonation(
    organization: Organization,
    proxy: Proxy,
    repository: Repository,
    *,
    urls: Sequence[str] = (),
    allow: Sequence[str] = (),
    indexes: Sequence[IndexUrls] = (),
    requires_login: bool = False,
    proxy_login: ProxyLogin | None = None,
    job: str | None = None,
) -> CreatedImpersonation:
    """Serve a repository under other hosts' URLs, to clients that use the proxy.

    Args:
        organization: the organization.
        proxy: the proxy.
        repository: the repository.
        urls: the URLs under which the repository is served.
        allow: the real hosts to which connections are allowed.
        indexes: the public indexes whose URLs are all impersonated.
        requires_login: whether reads need a login at every URL.
        proxy_login: the login of a separate proxy; None means the shared proxy.
        job: the token of the CI job whose programs use the impersonation, if they run in one.

    Raises:
        InvalidError: a URL or a host is not valid, a host cannot have a certificate, or there are
            too many impersonations. Or the extra `tls` is not installed.
    """
    if proxy_login is not None:
        proxy_login.check()
    certificate = None
    prefixes = [*map(parse_url_prefix, urls)]
    prefixes += [prefix for index in indexes for prefix in index.prefixes()]
    secure = {prefix.host for prefix in prefixes if prefix.is_https}
    if secure or CertificateAuthority.is_installed():
        certificate = (await proxy.authority()).pem
    for secure_host in secure:
        # Some host names cannot have a certificate: report that now, not at a connection.
        await proxy.context(secure_host)
    impersonation = organization.testkit.impersonations.add(
        repository.name,
        repository.document.id,
        urls=urls,
        allow=allow,
        indexes=indexes,
        requires_login=requires_login,
        proxy_login=proxy_login,
        job=job,
    )
    if proxy_login is not None:
        try:
            await proxy.listen_for(impersonation)
        except BaseException:
            organization.testkit.impersonations.delete(repository.document.id, impersonation.id)
            raise
    return CreatedImpersonation(impersonation, certificate)

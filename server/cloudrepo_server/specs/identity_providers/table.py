"""The list of identity providers. To add one, write its module and add it to `_TABLE`."""

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.specs.identity_providers.activestate import ACTIVESTATE
from cloudrepo_server.specs.identity_providers.buildkite import BUILDKITE
from cloudrepo_server.specs.identity_providers.circleci import CIRCLECI
from cloudrepo_server.specs.identity_providers.github import GITHUB
from cloudrepo_server.specs.identity_providers.gitlab import GITLAB
from cloudrepo_server.specs.identity_providers.google import GOOGLE
from cloudrepo_server.specs.identity_providers.provider import Provider

_TABLE = (GITHUB, GITLAB, GOOGLE, BUILDKITE, CIRCLECI, ACTIVESTATE)

PROVIDERS = {provider.name: provider for provider in _TABLE}
ISSUERS = {provider.issuer: provider for provider in _TABLE}
"""The providers by the claim `iss` of their tokens."""


def get_provider(name: str) -> Provider:
    """Return the provider with this name.

    Raises:
        InvalidError: there is no such provider.
    """
    try:
        return PROVIDERS[name]
    except KeyError:
        names = ", ".join(PROVIDERS)
        raise InvalidError(
            f"Unknown identity provider {name[:64]!r}; the identity providers are: {names}."
        ) from None

"""A trusted publisher as one text, such as `github:acme/demo/release.yml@production`.

The text is `PROVIDER:` and the required fields, separated by slashes. A repository's environment
may follow after an @ sign. Two slashes separate a repository in groups from a workflow in a folder:
`gitlab:group/demo//ci/release.yml`.
"""

from typing import NamedTuple

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.specs.identity_providers.provider import Fields, Provider
from cloudrepo_server.specs.identity_providers.table import get_provider


class PublisherSpecification(NamedTuple):
    """The provider and the fields that a text describes."""

    provider: str
    fields: dict[str, str]


def parse_publisher(text: str) -> PublisherSpecification:
    """Return the provider and the fields of a publisher that a text describes.

    Raises:
        InvalidError: the text does not describe a publisher.
    """
    name, colon, rest = text.partition(":")
    if not colon:
        raise InvalidError(
            f"{text[:64]!r} is not a trusted publisher: "
            "use the form PROVIDER:OWNER/REPOSITORY/WORKFLOW, "
            "such as github:acme/demo/release.yml."
        )
    provider = get_provider(name)
    environment = ""
    if "environment" in provider.optional:
        rest, _, environment = rest.partition("@")
    fields = dict(zip(provider.required, _split(provider, rest), strict=False))
    return PublisherSpecification(
        name, provider.check_fields({**fields, "environment": environment})
    )


def format_publisher(provider: str, fields: Fields) -> str:
    """Return the text that describes a publisher, without optional fields except the environment.

    Raises:
        InvalidError: there is no such provider.
    """
    known = get_provider(provider)
    values = [fields[name] for name in known.required]
    separator = "//" if "workflow" in known.defaults and "/" in fields["workflow"] else "/"
    environment = fields.get("environment")
    return f"{provider}:{separator.join(values)}" + (f"@{environment}" if environment else "")


def _split(provider: Provider, text: str) -> list[str]:
    first, double_slash, workflow = text.partition("//")
    if double_slash:
        return [first, workflow]
    parts = text.split("/")
    if "workflow" in provider.defaults and not parts[-1].endswith((".yml", ".yaml")):
        return [text]
    # The first field may contain slashes, as `OWNER/NAME` does.
    rest = len(provider.required) - 1
    if len(parts) <= rest:
        return [text]
    return ["/".join(parts[: len(parts) - rest]), *parts[len(parts) - rest :]]

"""What the core metadata of a file say about its release: README, dependencies and more."""

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.models import File
from cloudrepo_server.pools import CONTENTS
from cloudrepo_server.specs.release_details import ReleaseDetails, release_details
from cloudrepo_server.web.portal.portal_request import PortalRequest
from cloudrepo_server.web.portal.readme import Readme


async def read_description(
    request: PortalRequest, repository: Repository, file: File | None
) -> tuple[ReleaseDetails, Readme | None]:
    """Return what the core metadata of a file say.

    Raises:
        FileNotFoundError: an upload replaced the file after its project was read.
    """
    if file is None:
        return ReleaseDetails(), None
    metadata = await request.archives.core_metadata(repository, file)
    # Parsing many dependencies takes milliseconds.
    details = await CONTENTS.run(release_details, metadata)
    return details, await request.readmes.render(file, metadata)


async def own_dependencies(repository: Repository, details: ReleaseDetails) -> set[str]:
    """Return the projects of the repository itself among the dependencies."""
    wanted = {each.name for group in details.dependencies.values() for each in group}
    return wanted.intersection(await repository.project_names()) if wanted else set()

"""The dialects that imitate a registry, as opposed to a host without one."""

from typing import Final

from cloudrepo_server.specs.dialects import DIALECTS

REGISTRIES: Final = sorted(name for name, dialect in DIALECTS.items() if dialect.has_registry)

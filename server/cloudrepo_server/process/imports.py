"""Imports what a server starts with, sooner."""

import contextlib
import gc
import sys
from collections.abc import Iterator
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


class _Rest(ModuleType):
    """A package whose own module runs when something is wanted that its submodules do not have."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (as a module's attributes are)
        self.__class__ = ModuleType  # type: ignore[assignment]
        if self.__spec__ is not None and self.__spec__.loader is not None:
            self.__spec__.loader.exec_module(self)
        return getattr(self, name)


@contextlib.contextmanager
def sooner() -> Iterator[None]:
    """What is imported meanwhile takes less time.

    Garbage is not collected, as imports make many objects and next to none that can go. Of aiohttp
    the server's half comes alone: the package itself would import the client, which takes a third
    of a server's start and reads all certificates that the machine trusts, twice.
    """
    gc.disable()
    try:
        _import_web()
        yield
    finally:
        # They stay as long as the process does; later collections need not look at them.
        gc.freeze()
        gc.enable()


def _import_web() -> None:
    spec = None if "aiohttp" in sys.modules else find_spec("aiohttp")
    if spec is None:
        return
    package = module_from_spec(spec)
    # All that the server's half takes from the package, and it stands in a header that we replace.
    package.__dict__["__version__"] = ""
    sys.modules["aiohttp"] = package
    import aiohttp.web  # noqa: F401 (in its place, see above)

    package.__class__ = _Rest

"""Makes the imports of a server faster, so that it starts sooner."""

from __future__ import annotations

import gc
import re
import sys
import threading
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE: Final = "aiohttp"
_VERSION: Final = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


class _PackageOnDemand(ModuleType):
    """A package whose `__init__.py` runs at the first use of a name that only it defines."""

    _running = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a module's attributes have any type
        with _LOADING:
            if self.__class__ is _PackageOnDemand and not self._running:
                self._run()
            elif self.__class__ is _PackageOnDemand:  # `__init__.py` itself looks for the name
                raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
            return getattr(self, name)

    def _run(self) -> None:
        spec = self.__spec__
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot import {self.__name__}")
        self._running = True
        try:
            spec.loader.exec_module(self)
        finally:
            del self._running
        self.__class__ = ModuleType  # type: ignore[assignment] # the class of all other modules


_LOADING: Final = threading.RLock()


@contextmanager
def fast_imports() -> Iterator[None]:
    """Import the modules of a server faster, for the duration of the context.

    aiohttp's `__init__.py` imports its HTTP client, which reads all certificates that this machine
    trusts, twice. That takes a fifth of the start of a server, and only servers with upstreams need
    the client. So `__init__.py` runs at the first use of the client. The modules of the server
    import aiohttp's names from its submodules, such as `aiohttp.http`.

    The garbage collector is off meanwhile: imports create many objects and little garbage.
    """
    gc.disable()
    try:
        _import_aiohttp_server()
        yield
    finally:
        # The modules stay until the process ends, so later collections can skip them.
        gc.freeze()
        gc.enable()


def _import_aiohttp_server() -> None:
    spec = None if _PACKAGE in sys.modules else find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return
    version = _VERSION.search(Path(spec.origin).read_text(encoding="utf-8"))
    if version is None:
        return
    package = module_from_spec(spec)
    # The only name that the modules of the HTTP server import from the package.
    package.__dict__["__version__"] = version[1]
    sys.modules[_PACKAGE] = package
    try:
        import aiohttp.web  # noqa: F401 - imported now, while the package is incomplete
    except ImportError:  # a release of aiohttp that needs more of the package
        for name in [each for each in sys.modules if each.partition(".")[0] == _PACKAGE]:
            del sys.modules[name]
    else:
        package.__class__ = _PackageOnDemand

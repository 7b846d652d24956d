"""Adds the folders from which the plugin was imported, when Python starts one of its tools.

Python imports this module at startup, because `own_tools.py` puts its folder into PYTHONPATH. The
folders get the place that the user's site has: after the standard library, and before the packages
that are installed for every user. The syntax is that of old Pythons, which virtualenv may run.
"""

import os
import site
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - faster at each startup


def _import_replaced_module() -> None:
    """Import the `sitecustomize` that Python would have imported without this folder."""
    own = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # type: ignore[import-not-found] # noqa: F401
    except ImportError:
        sys.modules["sitecustomize"] = own


def _add_folders(folders: "list[str]") -> None:
    installed = set(site.getsitepackages())
    after = [index for index, path in enumerate(sys.path) if path in installed]
    place = min(after) if after else len(sys.path)
    sys.path[place:place] = [folder for folder in folders if folder not in sys.path]


sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != _HERE]  # noqa: PTH100
_import_replaced_module()
_python, *_folders = os.environ.get("CLOUDREPO_TOOL_PATH", "").split(os.pathsep)
if _python == sys.implementation.cache_tag:  # the folders contain packages for this Python only
    _add_folders(_folders)

"""Imports much at once, sooner."""

import contextlib
import gc
import os
from collections.abc import Iterator

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@contextlib.contextmanager
def sooner() -> Iterator[None]:
    """What is imported meanwhile takes less time: a third less where it is aiohttp.

    When it is imported, aiohttp's client reads all certificates that the machine trusts, twice.
    Here it finds none, so who uses that client gives it a context of his own. And garbage is not
    collected, as imports make many objects and next to none that can go.
    """
    kept = {name: os.environ[name] for name in _CERTIFICATES if name in os.environ}
    os.environ.update(dict.fromkeys(_CERTIFICATES, os.devnull))
    gc.disable()
    try:
        yield
    finally:
        # They stay as long as the process does; later collections need not look at them.
        gc.freeze()
        gc.enable()
        for name in _CERTIFICATES:
            del os.environ[name]
        os.environ.update(kept)

"""URLs that a person typed, before a program uses them."""

from urllib.parse import urlsplit


def is_web_url(text: str) -> bool:
    """Return whether a text is an http or https URL whose host and port are valid.

    HTTP clients raise errors of many types for other URLs.
    """
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        # Fails for labels that are empty or longer than 63 characters.
        host.encode("idna")
        has_port = parts.port != 0
    except ValueError:
        return False
    is_one_word = text.isprintable() and " " not in text
    return parts.scheme in ("http", "https") and bool(host) and has_port and is_one_word

"""The loopback addresses, which only programs on this machine can reach."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Return whether a host name or an IP address is a loopback address."""
    if host.casefold() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # the name of another host
        return False

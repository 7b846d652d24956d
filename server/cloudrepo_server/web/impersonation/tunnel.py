"""Tunnels: connections of clients that the proxy forwards to this server or to a real host."""

import asyncio

import msgspec

from cloudrepo_server.testkit.impersonation import Impersonation

_CHUNK = 64 << 10


class Tunnel(msgspec.Struct, frozen=True):
    """The host that a client of the proxy meant to connect to, and the impersonation it used."""

    impersonation: Impersonation
    scheme: str
    host: str
    port: int


class Stream(msgspec.Struct, frozen=True):
    """Both directions of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send data, and wait until the connection accepts more."""
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        """Close the connection."""
        self.writer.close()


async def open_stream(host: str, port: int) -> Stream:
    """Connect to a host.

    Raises:
        OSError: the connection failed.
    """
    return Stream(*await asyncio.open_connection(host, port))


async def relay(client: Stream, upstream: Stream) -> None:
    """Copy data in both directions until either side closes its connection."""
    directions = {
        asyncio.ensure_future(_copy(client, upstream)),
        asyncio.ensure_future(_copy(upstream, client)),
    }
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for direction in directions:
            direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)


async def _copy(source: Stream, target: Stream) -> None:
    while data := await source.reader.read(_CHUNK):
        await target.send(data)

"""A TCP relay that opens S3 to the network, and nothing else of SeaweedFS.

SeaweedFS binds the gRPC port of its S3 gateway to the same address as S3 itself, and any
client of that port may add credentials. So all of SeaweedFS stays on the loopback, and for
a wider ``HOST`` this process relays the S3 port.
"""

import asyncio
import sys
from contextlib import suppress

CHUNK_BYTES = 256 * 1024


async def relay(hosts: list[str], port: int, target_port: int) -> None:
    """Listen on every host and relay connections to ``127.0.0.1:target_port``. Never returns."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pour(reader, far_writer), pour(far_reader, writer))

    server = await asyncio.start_server(pass_on, hosts, port, limit=CHUNK_BYTES)
    async with server:
        await server.serve_forever()


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends. ``drain`` keeps a slow reader from filling our memory."""
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()


if __name__ == "__main__":
    *addresses, listen_port, inner_port = sys.argv[1:]
    asyncio.run(relay(addresses, int(listen_port), int(inner_port)))

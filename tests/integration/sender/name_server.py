"""A name server on the loopback that answers by the first label of the question."""

import asyncio
import struct
from ipaddress import ip_address

A, AAAA = 1, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


class NameServer(asyncio.DatagramProtocol):
    """Knows the addresses it is given by name. ``never.…`` is not answered, ``fails.…`` with SERVFAIL, the unknown with
    NXDOMAIN; a known name without an address of the type asked for has an empty answer."""

    def __init__(self, **addresses: list[str]) -> None:
        self._addresses = addresses
        self.questions: list[str] = []

    async def start(self) -> str:
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        host, port = self._transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def stop(self) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name, kind, question = _question(data)
        self.questions.append(name)
        label = name.partition(".")[0]
        if label == "never":
            return
        code = SERVFAIL if label == "fails" else NOERROR if label in self._addresses else NXDOMAIN
        records = [_record(text) for text in self._addresses.get(label, ()) if _kind(text) == kind]
        flags = 0x8580 | code
        header = data[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
        self._transport.sendto(header + question + b"".join(records), addr)


def _question(data: bytes) -> tuple[str, int, bytes]:
    labels, at = [], 12
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode())
        at += length + 1
    (kind,) = struct.unpack_from(">H", data, at + 1)
    return ".".join(labels).lower(), kind, data[12 : at + 5]


def _kind(text: str) -> int:
    return A if ip_address(text).version == 4 else AAAA


def _record(text: str) -> bytes:
    packed = ip_address(text).packed
    return b"\xc0\x0c" + struct.pack(">HHIH", _kind(text), 1, 0, len(packed)) + packed

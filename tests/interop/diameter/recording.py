"""A relay of octets between a peer and the server that keeps what went through, and writes it as a capture file."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import threading
from pathlib import Path
from typing import NamedTuple

from tests.servers import find_program

DIAMETER_PORT = 3868
PEER_ADDRESS = bytes((10, 0, 0, 1))
SERVER_ADDRESS = bytes((10, 0, 0, 2))
MAX_SEGMENT = 1_400
EXPERT_ERROR = 0x800000


class Chunk(NamedTuple):
    """Octets that went one way."""

    connection: int
    from_server: bool
    octets: bytes


class RecordingRelay:
    """Listens, and passes each connection on to the server; a context manager."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.chunks: list[Chunk] = []

    def __enter__(self) -> RecordingRelay:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)

    def messages(self, from_server: bool) -> list[bytes]:
        """The Diameter messages that went one way, in order."""
        streams: dict[int, bytes] = {}
        for chunk in self.chunks:
            if chunk.from_server is from_server:
                streams[chunk.connection] = streams.get(chunk.connection, b"") + chunk.octets
        found = []
        for stream in streams.values():
            while len(stream) >= 20:
                length = int.from_bytes(stream[1:4], "big")
                found.append(stream[:length])
                stream = stream[length:]
        return found

    def write_capture(self, path: Path) -> None:
        """A pcap file of raw IP, as if the peer at 10.0.0.1 spoke to port 3868 of 10.0.0.2."""
        with path.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101))
            sent = {}
            for number, chunk in enumerate(self.chunks):
                for start in range(0, len(chunk.octets), MAX_SEGMENT):
                    octets = chunk.octets[start : start + MAX_SEGMENT]
                    key, other = (
                        (chunk.connection, chunk.from_server),
                        (chunk.connection, not chunk.from_server),
                    )
                    packet = _packet(chunk, sent.get(key, 1), sent.get(other, 1), octets)
                    sent[key] = sent.get(key, 1) + len(octets)
                    file.write(struct.pack("<IIII", 1_700_000_000, number, len(packet), len(packet)) + packet)

    def _accept(self) -> None:
        connection = 0
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._sockets += [peer, server]
            for source, target, from_server in ((peer, server, False), (server, peer, True)):
                self._start(self._pass_on, source, target, connection, from_server)
            connection += 1

    def _pass_on(
        self, source: socket.socket, target: socket.socket, connection: int, from_server: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while octets := source.recv(65_536):
                with self._lock:
                    self.chunks.append(Chunk(connection, from_server, octets))
                target.sendall(octets)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _start(self, target, *arguments) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()


def _packet(chunk: Chunk, sequence: int, acknowledged: int, octets: bytes) -> bytes:
    peer_port = 40_000 + chunk.connection
    ports = (DIAMETER_PORT, peer_port) if chunk.from_server else (peer_port, DIAMETER_PORT)
    addresses = (SERVER_ADDRESS, PEER_ADDRESS) if chunk.from_server else (PEER_ADDRESS, SERVER_ADDRESS)
    tcp = struct.pack(">HHIIBBHHH", *ports, sequence, acknowledged, 5 << 4, 0x18, 65_535, 0, 0) + octets
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + addresses[0] + addresses[1]
    return ip + tcp


def complaints_of_tshark(capture: Path) -> list[str]:
    """What tshark finds wrong with what the server sent: malformed packets and notes of the level “error”.

    Its warnings are about unusual messages, such as the unknown AVP of a client that Failed-AVP brings back.
    """
    command = [
        find_program("tshark"),
        *("-r", str(capture), "-Y", f"diameter && tcp.srcport == {DIAMETER_PORT}"),
        *("-o", "tcp.check_checksum:false", "-o", "ip.check_checksum:false"),
        *("-T", "fields", "-e", "frame.number", "-e", "diameter.cmd.code", "-e", "_ws.malformed"),
        *("-e", "_ws.expert.severity", "-e", "_ws.expert.message", "-E", "separator=|"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    lines = done.stdout.splitlines()
    if not lines:
        return ["tshark found no Diameter in what the server sent"]
    return [line for line in lines if _is_error(line)]


def _is_error(line: str) -> bool:
    _, _, malformed, severities, _ = line.split("|", 4)
    return bool(malformed) or any(
        int(severity) >= EXPERT_ERROR for severity in severities.split(",") if severity
    )

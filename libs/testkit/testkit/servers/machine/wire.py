"""What both servers need: a clean environment, and a first word to see whether they answer."""

import os
import socket

HOST = "127.0.0.1"


def environment() -> dict[str, str]:
    """What a server may see of ours: no settings of other instances."""
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": f"{system}:{os.environ.get('PATH', '')}", "LANG": "C.UTF-8"}


def ask(port: int, packet: bytes) -> bytes:
    """The first bytes a local server answers; b"" when it does not."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(packet)
            return connection.recv(8)
    except OSError:
        return b""

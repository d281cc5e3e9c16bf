"""Requests that no client library would send: the path goes out as it is written."""

import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is what came until the server closed, chunks and all."""

    status: int
    head: bytes
    body: bytes


def ask(port: int, path: bytes, method: bytes = b"GET", *headers: bytes) -> Answer:
    """Send one request and read until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        lines = [method + b" " + path + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *headers, b"", b""]
        client.sendall(b"\r\n".join(lines))
        data = b""
        while chunk := client.recv(1 << 16):
            data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    return Answer(int(head.split(b" ", 2)[1]), head, body)

"""Whether what runs in this container is fit for work, as an exit code: /readyz, or a given path.

It runs every few seconds beside live audio, so it imports next to nothing.
"""

import os
import socket
import sys

# A gateway that does TLS itself has its management port in plain HTTP.
port = os.environ.get("PARLEY_MANAGEMENT_PORT") or os.environ.get("PARLEY_PORT") or "8080"
path = sys.argv[1] if len(sys.argv) > 1 else "/readyz"
with socket.create_connection(("127.0.0.1", int(port)), timeout=3) as connection:
    connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    status = connection.recv(64)
sys.exit(0 if status.split(b" ")[1:2] == [b"200"] else 1)

"""The target of all requests: nginx where it is installed, else a server of our own."""

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.documents import DOCUMENT

_NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path {folder}; client_body_in_single_buffer on;
  server {{
    listen 127.0.0.1:{port};
    location = /served {{ stub_status; }}
    location = /hook {{ return 200; }}
    location ~ ^/batches/(?<id>[0-9a-f]+)$ {{ return 200 '{document}'; }}
  }}
}}
"""


@dataclass(slots=True, kw_only=True)
class Target:
    """Hold where batches are read and webhooks received, and who answers there."""

    url: str
    kind: str
    asked: int = 0

    def served(self) -> int:
        """Return how many requests it has answered, by its own count, these questions left out."""
        self.asked += 1
        found = re.search(r"^ \d+ \d+ (\d+)", fetch(f"{self.url}/served").decode(), re.MULTILINE)
        assert found is not None
        return int(found[1]) - self.asked


@contextmanager
def run_target(folder: Path, *, moving: bool = False) -> Iterator[Target]:
    """Run a target; one whose counts are `moving` with every request is always our own."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    if moving or not shutil.which("nginx"):
        kind = "own server" if moving else "own server (nginx is not installed)"
        module = [sys.executable, "-m", "tests.benchmarks.server"]
        command = [*module, str(port), *(["moving"] if moving else [])]
    else:
        kind, config = "nginx", folder / "nginx.conf"
        document = DOCUMENT % ("$id", 1)
        config.write_text(_NGINX.format(folder=folder, port=port, document=document))
        command = ["nginx", "-e", f"{folder}/error.log", "-c", str(config)]
    server = subprocess.Popen(command)
    try:
        wait_for(f"{url}/batches/0")
        yield Target(url=url, kind=kind)
    finally:
        server.terminate()
        server.wait(10)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(url: str) -> bytes:
    """Return what a URL on loopback answers."""
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 (loopback)
        body: bytes = answer.read()
    return body


def wait_for(url: str, seconds: float = 30) -> None:
    """Wait until a URL answers with success."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OSError):
            fetch(url)
            return
        if time.monotonic() > deadline:
            raise TimeoutError(url)
        time.sleep(0.02)

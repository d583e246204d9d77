"""Measure polls per CPU second of the whole daemon against a bare loop: `make bench`.

Both ask the same server for the same documents in one run: nginx when it is there, else a small
server of our own (it says which).
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import httpx
from aiohttp import web
from httpx_aiohttp import AiohttpTransport

CONCURRENCY = 100
HERE = Path(__file__).parent


def document(batch_id: str) -> bytes:
    """Return an answer such as Bolna documents it."""
    return json.dumps(
        {
            "batch_id": batch_id,
            "humanized_created_at": "5 minutes ago",
            "created_at": "2024-01-23T05:14:37Z",
            "updated_at": "2024-02-29T04:22:09Z",
            "status": "running",
            "scheduled_at": "2024-01-29T08:30:00Z",
            "from_phone_number": "+19876543007",
            "file_name": "customers.csv",
            "valid_contacts": 7,
            "total_contacts": 11,
            "execution_status": {"completed": 1, "ringing": 2, "in-progress": 4},
        }
    ).encode()


@contextlib.contextmanager
def nginx(folder: Path, ids: list[str], port: int) -> Iterator[str]:
    """Serve the documents as files."""
    for batch_id in ids:
        file = folder / "batches" / batch_id
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(document(batch_id))
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;"
        " events { worker_connections 1024; } http { access_log off;"
        " keepalive_requests 1000000; default_type application/json;"
        f" open_file_cache max=10000; server {{ listen 127.0.0.1:{port}; root {folder}; }} }}"
    )
    server = subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/batches/{ids[0]}")
        yield "nginx"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)


@contextlib.contextmanager
def own_server(ids: list[str], port: int) -> Iterator[str]:
    """Serve the documents from a process of our own."""
    command = [sys.executable, __file__, "--serve", str(port), "--batches", str(len(ids))]
    server = subprocess.Popen(command)
    try:
        wait_for(f"http://127.0.0.1:{port}/batches/{ids[0]}")
        yield "own server (nginx is not installed)"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)


def serve(port: int) -> None:
    """Answer any batch until terminated."""

    async def answer(request: web.Request) -> web.Response:
        batch_id = request.match_info["id"]
        return web.Response(body=document(batch_id), content_type="application/json")

    app = web.Application()
    app.add_routes([web.get("/batches/{id}", answer)])
    web.run_app(app, host="127.0.0.1", port=port, print=None)


def wait_for(url: str) -> None:
    """Wait until a URL answers, 10 s at most."""
    deadline = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=1).read()  # noqa: S310 (loopback)
            return
        if time.monotonic() > deadline:
            raise TimeoutError(url)


async def bare_loop(base_url: str, ids: list[str], seconds: float) -> float:
    """Return polls per CPU second of `AsyncClient.get` and `json.loads` on the same transport."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONCURRENCY))
    transport = AiohttpTransport(client=session)
    done = 0
    end = time.monotonic() + seconds

    async with httpx.AsyncClient(transport=transport) as client:

        async def work(start: int) -> None:
            nonlocal done
            position = start
            while time.monotonic() < end:
                answer = await client.get(f"{base_url}/batches/{ids[position % len(ids)]}")
                json.loads(answer.content)
                done += 1
                position += CONCURRENCY

        began = time.process_time()
        await asyncio.gather(*(work(n) for n in range(CONCURRENCY)))
        return done / (time.process_time() - began)


def daemon(base_url: str, folder: Path, ids: list[str], seconds: float, port: int) -> float:
    """Return polls per CPU second of the whole daemon, threads included, once it is warm."""
    config = folder / "config.toml"
    config.write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\n[polling]\ninterval = "1s"\n'
        f"concurrency = {CONCURRENCY}\n[database]\nurl = '{database_url(folder)}'\n"
        f'[sources.bench]\nprovider = "bolna"\napi_key = "key"\nbase_url = "{base_url}"\n'
        'allow_http = true\nallow_private = true\nrate_limit = "1000000/min"\n'
    )
    monitor = [sys.executable, "-m", "monitor"]
    subprocess.run(
        [*monitor, "add", "-c", str(config), "bench", "-"],
        input="\n".join(ids).encode(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    log = (folder / "log").open("wb")
    process = subprocess.Popen([*monitor, "run", "-c", str(config)], stdout=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/-/ready")
        while counted(port, 'monitor_events_total{type="batch.first_seen"}') < len(ids):
            time.sleep(0.1)
        polls_before, cpu_before = polls(port), cpu_seconds(process.pid)
        time.sleep(seconds)
        polled, cpu = polls(port) - polls_before, cpu_seconds(process.pid) - cpu_before
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    return polled / cpu


def database_url(folder: Path) -> str:
    """Return the database to measure on."""
    return os.environ.get("MONITOR_BENCH_DATABASE_URL", f"sqlite:///{folder}/monitor.db")


def polls(port: int) -> float:
    """Read the daemon's own count of polls that brought a reading."""
    return counted(port, 'monitor_polls_total{result="ok",source="bench"}')


def counted(port: int, sample: str) -> float:
    """Read one number of the daemon's metrics; 0 while it is not there."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    lines = (line for line in text.splitlines() if line.startswith(sample))
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process, user and system, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print every round and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=18470)
    parser.add_argument("--serve", type=int)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve(arguments.serve)
    ids = [f"{number:032x}" for number in range(arguments.batches)]
    ratios = []
    for number in range(1, arguments.rounds + 1):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            server = (
                nginx(folder, ids, arguments.port)
                if shutil.which("nginx")
                else own_server(ids, arguments.port)
            )
            with server as kind:
                base_url = f"http://127.0.0.1:{arguments.port}"
                bare = asyncio.run(bare_loop(base_url, ids, arguments.seconds))
                whole = daemon(base_url, folder, ids, arguments.seconds, arguments.port + 1)
        ratios.append(whole / bare)
        print(
            f"round {number} on {kind}: daemon {whole:.0f} polls per CPU second,"
            f" bare loop {bare:.0f}, ratio {whole / bare:.2f}"
        )
    print(f"ratio: median {statistics.median(ratios):.2f}, target 1.0")
    return None


if __name__ == "__main__":
    main()

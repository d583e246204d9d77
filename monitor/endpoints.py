"""What operators ask over HTTP: /-/healthy, /-/ready, /metrics, and / which names them."""

import asyncio
import html
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

from monitor import __version__
from monitor.core.errors import ConfigError

Problems = Callable[[], Awaitable[list[str]]]
"""Returns what is not well, one line each."""
StatusLine = Callable[[], Awaitable[str]]
"""Returns how it fares, in one line."""
BeforeScrape = Callable[[], Awaitable[None]]

CHECK_TIMEOUT: Final = 5.0
"""Seconds after which a check that does not answer counts as failed."""
TOO_LONG: Final = "the check took too long"
_NO_SCRIPT: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_INDEX: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Batch monitor</title>
<style>body {{ font: 1rem/1.6 system-ui; max-width: 40rem; margin: 3rem auto }}</style>
<h1>Batch monitor {version}</h1>
<p>{status}
<ul>
<li><a href="-/ready">/-/ready</a>: may it be given work, and what is not well
<li><a href="-/healthy">/-/healthy</a>: the process lives
<li><a href="metrics">/metrics</a>: for Prometheus
</ul>
<p><code>monitor list</code> shows the batches, <code>monitor events</code> what became of them.
"""


class Endpoints:
    """Serve the endpoints on one address."""

    def __init__(
        self,
        *,
        ready: Problems,
        status: StatusLine,
        before_scrape: BeforeScrape,
        registry: CollectorRegistry,
    ) -> None:
        self._ready = ready
        self._status = status
        self._before_scrape = before_scrape
        self._write_metrics = make_aiohttp_handler(registry)
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._answer_index),
                web.get("/-/healthy", self._answer_healthy),
                web.get("/-/ready", self._answer_ready),
                web.get("/metrics", self._answer_metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

    async def start(self, host: str, port: int) -> int:
        """Listen and return the port; raises ConfigError when the address cannot be had."""
        await self._runner.setup()
        try:
            await self._site(host, port).start()
        except OSError as error:
            raise ConfigError(
                [
                    f"server.listen: cannot listen on {host}:{port}: {error.strerror};"
                    " choose another port (0: any free one) or stop what holds it"
                ]
            ) from error
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    def _site(self, host: str, port: int) -> web.BaseSite:
        """Return where to listen; `[::]` takes IPv4 too, as with other servers.

        asyncio would open it for IPv6 alone.
        """
        if host == "::" and socket.has_dualstack_ipv6():
            address, family = (host, port), socket.AF_INET6
            listening = socket.create_server(address, family=family, dualstack_ipv6=True)
            return web.SockSite(self._runner, listening)
        return web.TCPSite(self._runner, host or None, port)

    async def _answer_index(self, _request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                status = await self._status()
        except TimeoutError:
            status = f"not ready: {TOO_LONG}"
        text = _INDEX.format(version=__version__, status=html.escape(status))
        return web.Response(text=text, content_type="text/html", headers=_NO_SCRIPT)

    async def _answer_healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="healthy\n")

    async def _answer_ready(self, _request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                problems = await self._ready()
        except TimeoutError:
            problems = [TOO_LONG]
        if problems:
            return web.Response(
                status=503, text="not ready\n" + "".join(f"{p}\n" for p in problems)
            )
        return web.Response(text="ready\n")

    async def _answer_metrics(self, request: web.Request) -> web.StreamResponse:
        """Answer in the format and the compression that the scraper asks for."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_TIMEOUT):
                await self._before_scrape()
        try:
            return await self._write_metrics(request)
        except (TypeError, ValueError):  # the library reads no version in quotes, or of letters
            headers = {k: v for k, v in request.headers.items() if k.lower() != "accept"}
            return await self._write_metrics(request.clone(headers=headers))

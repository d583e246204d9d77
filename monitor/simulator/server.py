"""A simulated API: a real HTTP server on loopback that shows lives, with faults on demand."""

import time
from collections.abc import Iterator
from itertools import chain, repeat
from typing import ClassVar, Self
from urllib.parse import unquote

from aiohttp import web

from monitor.simulator.faults import JSON, Fault
from monitor.simulator.lives import Clock, Document, Life, step
from monitor.simulator.record import Record, ServedAnswer


class SimulatedApi:
    """Serve one account's batches at `base_url`; a provider adds its paths.

    A wrong key gets 401, an unknown id 404, anything but GET 405 and an entry in `violations`.
    """

    prefix: ClassVar[str]
    """Path of the real base URL, such as `/api`."""
    collection: ClassVar[str]

    def __init__(self, *, key: str, port: int = 0, clock: Clock = time.monotonic) -> None:
        self.key = key
        """The only key that is accepted; change it to rotate."""
        self.wrong_key_code = 401
        """What a wrong key is answered with: Bolna knows 401 and 403."""
        self.violations: list[str] = []
        self.record = Record()
        self._port = port
        self._clock = clock
        self._lives: dict[str, Life] = {}
        self._faults: dict[str | None, Iterator[Fault]] = {}
        """By the batch, or none for the account: a fault for each request to come."""
        self._path = f"{self.prefix}/{self.collection}/"
        self._runner = web.ServerRunner(
            web.Server(self._handle, handler_cancellation=True, keepalive_timeout=300.0),
            shutdown_timeout=0.01,  # for 0 aiohttp waits for ever
        )

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Listen on 127.0.0.1; port 0 takes any free one."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close all connections, also those that still wait for an answer."""
        await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """Return what goes into the config file."""
        return f"http://127.0.0.1:{self._port}{self.prefix}"

    @property
    def served(self) -> list[ServedAnswer]:
        """List the newest answers, oldest first."""
        return list(self.record.served)

    def put(self, batch_id: str, shown: Life | Document | bytes) -> Life:
        """Let a batch show a life, one document, or any bytes, from now on."""
        life = shown if isinstance(shown, Life) else Life([step(shown)])
        self._lives[batch_id] = life
        return life

    def remove(self, batch_id: str) -> None:
        """Delete a batch."""
        del self._lives[batch_id]

    def fault(self, fault: Fault, *, batch: str | None = None, times: int | None = None) -> None:
        """Answer with a fault for so many requests (at least one), or until lifted.

        It concerns one batch or, without one, the whole account; a batch's own goes first.
        """
        if times is not None and times < 1:
            raise ValueError("a fault comes at least once; lift() ends it")
        self._faults[batch] = repeat(fault) if times is None else repeat(fault, times)

    def lift(self, batch: str | None = None) -> None:
        """End the fault of one batch or, without one, all faults."""
        if batch is None:
            self._faults.clear()
        else:
            self._faults.pop(batch, None)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        batch = self._batch_id(request.raw_path)
        if request.method != "GET":
            self.violations.append(f"{request.method} {request.raw_path}")
            return self._refuse(batch, 405, "method_not_allowed")
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return self._refuse(batch, self.wrong_key_code, "wrong_key")
        return await self._answer(request, batch)

    async def _answer(self, request: web.BaseRequest, batch: str) -> web.StreamResponse:
        """Show a batch to one who may see it."""
        life = self._lives.get(batch)
        return await self._show(request, batch, None if life is None else life.current.body)

    async def _show(
        self, request: web.BaseRequest, name: str, body: bytes | None
    ) -> web.StreamResponse:
        """Show a batch, or a list as that of a batch of its name; none: nobody knows it."""
        fault = self._fault_for(name)
        if fault is not None:  # recorded before it is done with: a black hole never is
            self.record.add(ServedAnswer(self._clock(), name, fault.status_code, fault=fault.name))
            return await self._wreck(request, fault, b"{}" if body is None else body)
        if body is None:
            return self._refuse(name, 404, "unknown_id")
        self.record.add(ServedAnswer(self._clock(), name, 200, body=body))
        return web.Response(body=body, content_type=JSON)

    def _batch_id(self, path: str) -> str:
        path, _, _ = path.partition("?")
        return unquote(path[len(self._path) :]) if path.startswith(self._path) else ""

    def _fault_for(self, batch: str) -> Fault | None:
        faults = (self._faults.get(scope, iter(())) for scope in (batch, None))
        return next(chain.from_iterable(faults), None)

    def _refuse(self, batch: str, code: int, reason: str) -> web.Response:
        self.record.add(ServedAnswer(self._clock(), batch, code, fault=reason))
        return web.json_response({"error": code, "message": reason}, status=code)

    async def _wreck(
        self, request: web.BaseRequest, fault: Fault, body: bytes
    ) -> web.StreamResponse:
        response = await fault.answer(request, body)
        if response is not None:
            return response
        if request.transport is not None:
            request.transport.abort()
        return web.Response()  # never sent: its connection is gone

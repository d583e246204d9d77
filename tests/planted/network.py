"""Bugs that a hostile network brings to light."""

from tests.planted import Bug, Edit

NETWORK = "tests/faults/network/test_network.py::test_after_every_fault_the_next_request_succeeds"
ADDRESSES = (
    "tests/faults/network/test_network.py"
    "::test_however_an_address_is_written_a_forbidden_one_is_not_contacted"
)

BUGS = (
    Bug(
        name="429-is-final",
        edits=[
            Edit(
                module="monitor.core.delivery",
                old="elif status_code == 410:",
                new="elif status_code in {410, 429}:",
            )
        ],
        test=NETWORK,
        says="429: webhook: dead 429 instead of hold 429",
    ),
    Bug(
        name="redirect-followed",
        edits=[
            Edit(
                module="monitor.net.http",
                old="        status = response.status_code\n",
                new=(
                    "        if 300 <= response.status_code < 400:\n"
                    "            await response.stream.aclose()\n"
                    "            to = aiohttp.client.URL(request.url).join(\n"
                    "                aiohttp.client.URL(response.headers['location']))\n"
                    "            request = _PreparedRequest('GET', str(to), request.headers, b'')\n"
                    "            return await self._send(exchange, request, take)\n"
                    "        status = response.status_code\n"
                ),
            )
        ],
        test=NETWORK,
        says="redirect to itself: provider: ok instead of redirect",
        slow=True,
    ),
    Bug(
        name="no-deadline",
        edits=[
            Edit(
                module="monitor.net.http",
                old="asyncio.timeout(deadline.total_seconds())",
                new="asyncio.timeout(None)",
            )
        ],
        test=NETWORK,
        says="body drips: provider: no end instead of timeout",
        slow=True,
    ),
    Bug(
        name="body-unbounded",
        edits=[
            Edit(
                module="monitor.net.exchange",
                old="            if room < 0:\n                break\n",
                new="",
            )
        ],
        test=NETWORK,
        says="100 MB: provider: ",
        slow=True,
    ),
    Bug(
        name="unpacked-unbounded",
        edits=[
            Edit(
                module="monitor.net.exchange",
                old="                if held > self._limit:",
                new="                if held < 0:",
            )
        ],
        test=NETWORK,
        says="gzip bomb: provider: invalid_body instead of too_large",
        slow=True,
    ),
    Bug(
        name="cancelled-request-goes-on",
        edits=[
            Edit(
                module="monitor.net.http",
                old="return await self._send(exchange, request, take)",
                new="return await asyncio.shield(self._send(exchange, request, take))",
            )
        ],
        test=NETWORK,
        says="instead of ok afterwards",
        slow=True,
    ),
    Bug(
        name="interim-answers-unbounded",
        edits=[Edit(module="monitor.net.head", old="Final = 32", new="Final = 10**9")],
        test=NETWORK,
        says="flood of interim answers: provider: ",
        slow=True,
    ),
    Bug(
        name="any-certificate",
        edits=[
            Edit(
                module="monitor.net.tls",
                old='    context.set_alpn_protocols(["http/1.1"])\n',
                new="    context.check_hostname = False\n",
            )
        ],
        test=NETWORK,
        says="another name's certificate: provider: ok instead of tls",
        slow=True,
    ),
    Bug(
        name="success-needs-its-body",
        edits=[
            Edit(
                module="monitor.net.http",
                old="return self._success_waits is not None or status not in USABLE",
                new="return status not in USABLE",
            )
        ],
        test=NETWORK,
        says="reset in the body: webhook: hold disconnected instead of delivered 200",
    ),
    Bug(
        name="any-2xx-is-slack",
        edits=[Edit(module="monitor.sinks.slack", old="if _is_ok(answer):", new="if True:")],
        test=NETWORK,
        says="204 with a body: slack: delivered 204 instead of hold not_ok",
        slow=True,
    ),
    Bug(
        name="last-address-forgotten",
        edits=[
            Edit(
                module="monitor.net.lookup",
                old="            self._last[key] = done.result()\n",
                new="            pass\n",
            )
        ],
        test=NETWORK,
        says="no answer to the name: provider: dns instead of ok",
        slow=True,
    ),
    Bug(
        name="names-on-the-loops-threads",
        edits=[
            Edit(
                module="monitor.net.http",
                old="            resolver=self._lookup,\n",
                new="",
            )
        ],
        test="tests/net/test_lookup.py::test_dead_names_hold_up_nobody_else",
        says="TimeoutError",
        slow=True,
    ),
    Bug(
        name="guard-asks-the-url-alone",
        edits=[
            Edit(
                module="monitor.net.http",
                old="socket_factory=socket_factory(allow_private=self._allow_private),",
                new="",
            ),
            Edit(
                module="monitor.net.http",
                old="        if self._closed:\n",
                new=(
                    "        from monitor.net.guard import forbidden\n"
                    "        host = httpx.URL(request.url).host\n"
                    "        if host[:1].isdigit() and forbidden(\n"
                    "            host, allow_private=self._allow_private\n"
                    "        ):\n"
                    "            raise NetworkError(NetworkKind.ADDRESS)\n"
                    "        if self._closed:\n"
                ),
            ),
        ],
        test=NETWORK,
        says="169.254.169.254 was contacted",
        slow=True,
    ),
    Bug(
        name="no-guard",
        edits=[
            Edit(
                module="monitor.net.guard",
                old="        if forbidden(str(address[0]), allow_private=allow_private):\n",
                new="        if False:\n",
            )
        ],
        test=ADDRESSES,
        says="169.254.169.254 was contacted",
        slow=True,
    ),
)

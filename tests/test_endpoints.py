import asyncio
import gzip
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from docs.generate.metrics import ALERTS
from monitor import __version__, endpoints
from monitor.core.errors import ConfigError
from monitor.daemon import liveness
from monitor.endpoints import Endpoints
from tests.conftest import Outage, Until
from tests.consumer import SECRET
from tests.engine.rig import Rig
from tests.engine.test_metrics import CONTRACT
from tests.simulator.faults import Fault


@pytest.fixture
async def rig(tmp_path: Path, database_url: str) -> AsyncIterator[Rig]:
    async with Rig(tmp_path, database_url) as rig:
        yield rig


async def get(rig: Rig, path: str) -> tuple[int, str]:
    port = rig.daemon.endpoints._runner.addresses[0][1]
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{port}{path}") as response,
    ):
        return response.status, await response.text()


async def test_a_running_daemon_is_healthy_and_ready(rig: Rig, until: Until) -> None:
    await rig.start()

    assert await get(rig, "/-/healthy") == (200, "healthy\n")
    assert await get(rig, "/-/ready") == (200, "ready\n")


async def test_nothing_else_is_served(rig: Rig) -> None:
    await rig.start()

    assert (await get(rig, "/-"))[0] == 404
    assert (await get(rig, "/-/reload"))[0] == 404


async def test_the_first_page_leads_to_the_others_and_says_how_it_fares(
    rig: Rig, until: Until
) -> None:
    await rig.start()
    await rig.add("b1", "b2")

    async def page() -> str:
        return (await get(rig, "/"))[1]

    async def told() -> bool:
        return "<p>2 batches watched, 0 deliveries pending" in await page()

    await until(told)
    assert f"<h1>Batch monitor {__version__}</h1>" in await page()
    for link in re.findall('href="([^"]+)"', await page()):
        assert (await get(rig, f"/{link}"))[0] == 200


async def test_the_first_page_says_what_is_not_well(rig: Rig, outage: Outage) -> None:
    await rig.start()

    async with outage():
        status, text = await get(rig, "/")

    assert (status, "<p>not ready: the database " in text) == (200, True)


async def test_while_the_database_takes_no_writes_it_is_healthy_but_not_ready_and_says_why(
    rig: Rig, until: Until, outage: Outage
) -> None:
    await rig.start()

    async with outage():
        assert await get(rig, "/-/healthy") == (200, "healthy\n")
        status, text = await get(rig, "/-/ready")
        assert status == 503
        assert text.startswith("not ready\nthe database ")
        assert rig.database.place in text

    async def ready() -> bool:
        return (await get(rig, "/-/ready"))[0] == 200

    await until(ready)


async def test_a_loop_that_does_not_turn_is_named(
    rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "HANG", 0.5)
    await rig.start()
    rig.engine._tasks["relay"].cancel()
    await until(lambda: rig.engine.relay.loop.beat.overdue > liveness.HANG)

    status, text = await get(rig, "/-/ready")

    assert (status, text) == (503, "not ready\nthe relay has not turned for 30 s\n")


async def test_metrics_have_exactly_the_documented_names(rig: Rig, until: Until) -> None:
    rig.show("b1", "b2")
    rig.vogent_more = "discover = true"
    rig.crm.refuse = lambda event: 404 if event["subject"] == "b2" else None
    await rig.start()
    await rig.add("b1", "b2", "none")
    await until(lambda: len(rig.crm.arrived) == 2)
    await until(lambda: not rig.engine.receivers[0].in_flight)

    async def counted() -> bool:
        text = (await get(rig, "/metrics"))[1]
        looked = 'monitor_discovery_rounds_total{result="ok",source="vogent"} 1.0' in text
        return looked and 'monitor_deliveries_pending{receiver="crm"} 1.0' in text

    await until(counted)

    status, text = await get(rig, "/metrics")
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels.setdefault(family.name, set()).update(sample.labels)
    assert status == 200
    named = {
        name + "_info" * (kind == "info"): set(keys) for name, (kind, keys) in CONTRACT.items()
    }
    assert {name: keys - {"le"} for name, keys in labels.items()} == named
    assert 'monitor_polls_total{result="not_found",source="bolna"}' in text
    assert 'monitor_source_up{source="bolna"} 1.0' in text
    assert "b1" not in text


def selectors(rule: str) -> list[tuple[str, list[tuple[str, bool, str]]]]:
    """Return the series that an alert rule is about: name, and each label with what it may be."""
    return [
        (name, [(label, op == "=", value) for label, op, value in ASKED.findall(labels)])
        for name, labels in re.findall(r"(monitor_\w+)(?:{([^}]*)})?", rule)
    ]


ASKED = re.compile(r'(\w+)(!?=)"([^"]*)"')
RULES = re.findall(r"expr: (.*monitor_.*)", ALERTS.read_text())


@pytest.mark.parametrize("rule", RULES)
async def test_what_an_alert_rule_counts_is_there_before_anything_happens(
    rig: Rig, rule: str
) -> None:
    rig.vogent_more = "discover = true"
    await rig.start()

    found = [
        (sample.name, sample.labels)
        for family in text_string_to_metric_families((await get(rig, "/metrics"))[1])
        for sample in family.samples
    ]

    assert selectors(rule)
    for name, asked in selectors(rule):
        assert any(
            name == one and all((has[label] == value) is equal for label, equal, value in asked)
            for one, has in found
        )


async def test_each_counter_is_born_at_0_and_so_are_those_that_a_reload_brings(rig: Rig) -> None:
    await rig.start()

    assert 'monitor_events_total{type="batch.failed"} 0.0' in (await get(rig, "/metrics"))[1]
    assert 'receiver="pager"' not in (await get(rig, "/metrics"))[1]
    rig.tail = f"""
[sources.second]
provider = "vogent"
api_key = "{"k" * 20}"
base_url = "{rig.vogent.base_url}"
allow_http = true
allow_private = true
discover = true

[receivers.pager]
kind = "webhook"
url = "{rig.crm.url}"
secret = "{SECRET}"
allow_http = true
allow_private = true
"""
    rig.write()
    await rig.reload.reload()

    text = (await get(rig, "/metrics"))[1]
    for kind in ("timeout", "dns", "server_error"):
        assert f'monitor_polls_total{{result="{kind}",source="second"}} 0.0' in text
        assert f'monitor_discovery_rounds_total{{result="{kind}",source="second"}} 0.0' in text
    for result in ("delivered", "retry", "hold", "dead"):
        assert f'monitor_deliveries_total{{receiver="pager",result="{result}"}} 0.0' in text
    assert 'monitor_attempts_total{kind="timeout",receiver="pager"} 0.0' in text


async def test_metrics_are_written_as_the_scraper_asks_for_them(rig: Rig) -> None:
    await rig.start()
    port = rig.daemon.endpoints._runner.addresses[0][1]
    asks = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}

    async with (
        aiohttp.ClientSession(auto_decompress=False) as http,
        http.get(f"http://127.0.0.1:{port}/metrics", headers=asks) as response,
    ):
        text = gzip.decompress(await response.read()).decode()

    assert response.headers["Content-Encoding"] == "gzip"
    assert response.content_type == "application/openmetrics-text"
    families = list(openmetrics.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    assert {family.name for family in families} == set(CONTRACT)


@pytest.mark.parametrize(
    "accept",
    [
        'text/plain;version="0.0.4"',
        "application/openmetrics-text; version=abc",
        "application/openmetrics-text; version=1.0.0-rc1",
        ";;,q=;version=;",
    ],
)
async def test_no_accept_is_too_strange_for_an_answer(rig: Rig, accept: str) -> None:
    await rig.start()
    port = rig.daemon.endpoints._runner.addresses[0][1]

    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept}) as response,
    ):
        assert response.status == 200
        assert "monitor_polls_total" in await response.text()


async def test_a_failing_account_is_down_in_the_metrics(rig: Rig, until: Until) -> None:
    rig.bolna.fault(Fault.unauthorized())
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.crm.types == ["source.failing"])

    text = (await get(rig, "/metrics"))[1]

    assert 'monitor_source_up{source="bolna"} 0.0' in text
    assert 'monitor_source_up{source="vogent"} 1.0' in text


async def test_what_waits_is_in_the_metrics_and_for_how_long(rig: Rig, until: Until) -> None:
    rig.bolna.fault(Fault.rate_limited(600), times=1)
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.engine.sources[0].blocked_until is not None)
    await rig.add("b2", "b3")

    text = (await get(rig, "/metrics"))[1]

    paused = re.search(r'monitor_source_paused_seconds{source="bolna"} ([0-9.]+)', text)
    assert paused is not None
    assert 590 < float(paused[1]) <= 600
    assert 'monitor_source_paused_seconds{source="vogent"} 0.0' in text
    assert re.search(r'monitor_batches_due{source="bolna"} [23].0', text)
    assert 'monitor_batches_due{source="vogent"} 0.0' in text


async def test_metrics_are_served_while_the_database_is_away(rig: Rig, outage: Outage) -> None:
    await rig.start()

    async with outage():
        assert (await get(rig, "/metrics"))[0] == 200


async def test_a_check_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "CHECK_TIMEOUT", 0.01)
    served = Endpoints(
        ready=hang, status=silent, before_scrape=nothing, registry=CollectorRegistry()
    )
    port = await served.start("127.0.0.1", 0)
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{port}/-/ready") as response,
        ):
            found = (response.status, await response.text())
    finally:
        await served.stop()

    assert found == (503, "not ready\nthe check took too long\n")


async def hang() -> list[str]:
    await asyncio.sleep(60)
    return []


async def silent() -> str:
    """Say nothing of how it fares."""
    return ""


async def nothing() -> None:
    """Refresh nothing."""


async def test_an_address_that_is_taken_is_named_with_what_to_do() -> None:
    first = Endpoints(
        ready=hang, status=silent, before_scrape=nothing, registry=CollectorRegistry()
    )
    second = Endpoints(
        ready=hang, status=silent, before_scrape=nothing, registry=CollectorRegistry()
    )
    port = await first.start("127.0.0.1", 0)
    try:
        with pytest.raises(ConfigError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .* in use"):
            await second.start("127.0.0.1", port)
    finally:
        await second.stop()
        await first.stop()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this system has no IPv6")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_every_address_is_of_both_families(host: str) -> None:
    served = Endpoints(
        ready=hang, status=silent, before_scrape=nothing, registry=CollectorRegistry()
    )
    port = await served.start("::", 0)
    try:
        async with aiohttp.request("GET", f"http://{host}:{port}/-/healthy") as answer:
            assert await answer.text() == "healthy\n"
    finally:
        await served.stop()

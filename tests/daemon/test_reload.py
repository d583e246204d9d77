import json
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from monitor.daemon.reload import MOST_REASONS
from monitor.simulator.bolna import SimulatedBolna
from tests.conftest import Outage, Until
from tests.consumer import SECRET, Consumer
from tests.daemon.conftest import MakeProcess
from tests.engine.rig import KEY, Rig
from tests.simulator.faults import Fault

Log = pytest.CaptureFixture[str]


class Reloads:
    """Edit the file of a running daemon and ask it to read it anew."""

    def __init__(self, rig: Rig, until: Until, log: Log) -> None:
        self._rig, self._until, self._log = rig, until, log

    async def __call__(self, *, refused: bool = False, text: str | None = None) -> str:
        """Reload the rig's config, or any text; return what was logged."""
        path = self._rig.write()
        if text is not None:
            path.write_text(text, encoding="utf-8")
        self._log.readouterr()
        said = ""
        event = "config.reload_refused" if refused else "config.reloaded"

        def told() -> bool:
            nonlocal said
            said += self._log.readouterr().out
            return event in said

        self._rig.reload_bell.ring()
        await self._until(told)
        return said


@pytest.fixture
def reload(rig: Rig, until: Until, capsys: Log) -> Iterator[Reloads]:
    yield Reloads(rig, until, capsys)
    structlog.reset_defaults()  # a reload sets the log up anew, for an output that is gone now


@pytest.fixture
async def second() -> AsyncIterator[SimulatedBolna]:
    async with SimulatedBolna(key=KEY) as api:
        yield api


@pytest.fixture
async def ops() -> AsyncIterator[Consumer]:
    """Run a second receiver."""
    consumer = Consumer()
    await consumer.start()
    yield consumer
    await consumer.stop()


def declare(source: str, *names: str) -> str:
    return "".join(f'[[batches]]\nsource = "{source}"\nid = "{name}"\n' for name in names)


def source(name: str, api: SimulatedBolna) -> str:
    return (
        f'[sources.{name}]\nprovider = "bolna"\napi_key = "{KEY}"\nbase_url = "{api.base_url}"\n'
        "allow_http = true\nallow_private = true\n"
    )


def metric(rig: Rig, name: str) -> float | None:
    value: float | None = rig.engine.metrics.registry.get_sample_value(name)
    return value


async def test_declared_batches_that_come_are_watched_and_those_that_leave_are_not(
    rig: Rig, until: Until, reload: Reloads
) -> None:
    rig.show("b1", "b2")
    rig.tail = declare("bolna", "b1")
    await rig.start()
    await until(lambda: len(rig.crm.of("b1")) == 1)

    rig.tail = declare("bolna", "b2")
    await reload()

    await until(lambda: len(rig.crm.of("b2")) == 1)
    watched = await rig.rows("SELECT external_id FROM batches WHERE watched")
    assert [row[0] for row in watched] == ["b2"]
    assert len(rig.crm.of("b1")) == 1


async def test_a_source_that_comes_is_polled_and_one_that_leaves_is_not_but_keeps_its_batches(
    rig: Rig, until: Until, reload: Reloads, second: SimulatedBolna
) -> None:
    rig.show("b1")
    rig.show("n1", api=second)
    await rig.start()
    await rig.add("b1")
    await until(lambda: len(rig.crm.of("b1")) == 1)

    rig.tail = source("new", second) + declare("new", "n1")
    await reload()
    await until(lambda: len(rig.crm.of("n1")) == 1)
    rig.tail = ""
    await reload()
    polled = second.record.answers
    rig.show("b1", execution_status={"completed": 7})
    await until(lambda: len(rig.crm.of("b1")) == 2)

    assert second.record.answers <= polled + 1
    assert [source.name for source in rig.engine.sources] == ["bolna", "vogent"]
    assert await rig.value("SELECT count(*) FROM batches WHERE source = 'new'") == 1


async def test_changed_labels_pace_and_address_take_effect_without_an_event(
    rig: Rig, until: Until, reload: Reloads, second: SimulatedBolna
) -> None:
    rig.show("b1")
    rig.show("b1", api=second)
    await rig.start()
    await rig.add("b1")
    await until(lambda: len(rig.crm.of("b1")) == 1)
    before = rig.engine.sources[0].provider

    path = rig.write()
    changed = path.read_text().replace(rig.bolna.base_url, second.base_url)
    changed = changed.replace('provider = "bolna"', 'provider = "bolna"\nlabels = { env = "prod" }')
    await reload(text=changed)
    await until(lambda: second.record.answers > 2)
    rig.show("b1", api=second, execution_status={"completed": 7})
    await until(lambda: len(rig.crm.of("b1")) == 2)

    assert rig.crm.types == ["batch.first_seen", "batch.counts_changed"]
    assert rig.crm.events[-1]["data"]["batch"]["labels"] == {"env": "prod"}
    assert rig.engine.sources[0].provider is not before


async def test_what_did_not_change_keeps_its_connections(rig: Rig, reload: Reloads) -> None:
    await rig.start()
    providers = [source.provider for source in rig.engine.sources]
    sinks = [receiver.sink for receiver in rig.engine.receivers]

    await reload()

    assert [source.provider for source in rig.engine.sources] == providers
    assert [receiver.sink for receiver in rig.engine.receivers] == sinks


async def test_polls_and_attempts_under_way_end_as_if_nothing_happened(
    rig: Rig, until: Until, reload: Reloads
) -> None:
    """The old connections are closed once nothing uses them any more."""
    rig.show("b1", "b2")
    rig.crm.hang()
    rig.receiver_more = 'timeout = "20s"'
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.crm.in_flight == 1)
    sink = rig.engine.receivers[0].sink

    rig.receiver_more = 'timeout = "21s"'
    said = await reload()
    assert rig.engine.receivers[0].sink is not sink
    rig.crm.release()
    await until(lambda: rig.crm.types == ["batch.first_seen"])
    await rig.add("b2")
    await until(lambda: len(rig.crm.events) == 2)

    assert len(rig.crm.arrived) == 2
    assert "delivery.failed" not in said
    assert "receiver.held" not in said
    await until(lambda: not rig.engine._leaving)
    assert sink._client._closed  # type: ignore[attr-defined]


async def test_a_receiver_that_left_is_owed_its_deliveries_until_it_returns(
    rig: Rig, until: Until, reload: Reloads, ops: Consumer
) -> None:
    rig.consumers["ops"] = ops
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: len(rig.crm.events) == len(ops.events) == 1)
    crm_only = dict(rig.consumers)
    ops.status = 503

    rig.show("b1", execution_status={"completed": 1, "ringing": 6})
    await until(lambda: rig.engine.receivers[-1].hold is not None)
    del rig.consumers["ops"]
    await reload()
    rig.show("b1", execution_status={"completed": 2, "ringing": 5})
    await until(lambda: len(rig.crm.events) == 3)
    ops.status = 200
    asked = len(ops.arrived)
    rig.consumers = crm_only
    await reload()
    rig.clock.advance(minutes=6)
    await until(lambda: len(ops.events) == 2)

    assert len(ops.arrived) == asked + 1
    await until(rig.settled)


async def test_routes_and_receivers_that_come_take_effect_for_the_next_event(
    rig: Rig, until: Until, reload: Reloads, ops: Consumer
) -> None:
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: len(rig.crm.events) == 1)

    rig.consumers["ops"] = ops
    await reload()
    rig.show("b1", execution_status={"completed": 7})
    await until(lambda: len(ops.events) == 1)

    assert ops.types == ["batch.counts_changed"]


@pytest.mark.parametrize(
    ("found", "put", "reason"),
    [
        ("[monitor]", "[monitor", "is not valid TOML"),
        ('interval = "50ms"', 'interval = "soon"', "polling.interval: must be a duration"),
        (
            'listen = "127.0.0.1:0"',
            'listen = "127.0.0.1:1"',
            '[server] listen differs from "127.0.0.1:0", which is in use: restart to take it',
        ),
        (
            "monitor.db",
            "other.db",
            "[database] differs from the database in use: restart to take it",
        ),
        (
            'provider = "bolna"',
            'provider = "vogent"',
            "sources.bolna: provider differs from 'bolna'",
        ),
        (
            f'secret = "{SECRET}"',
            'secret_env = "NOT_SET_ANYWHERE"',
            "receivers.crm.secret: the environment variable NOT_SET_ANYWHERE is not set",
        ),
        (
            'provider = "bolna"',
            'provider = "bolna"\nca_file = "none.pem"',
            "none.pem cannot be used: No such file",
        ),
    ],
)
async def test_a_bad_file_is_refused_with_the_reason_and_the_old_config_stays(
    rig: Rig, until: Until, reload: Reloads, found: str, put: str, reason: str
) -> None:
    rig.show("b1")
    await rig.start()
    good = rig.write().read_text()
    assert found in good

    said = await reload(refused=True, text=good.replace(found, put))
    await rig.add("b1")
    await until(lambda: rig.crm.types == ["batch.first_seen"])

    assert reason in said
    assert SECRET not in said
    assert metric(rig, "monitor_config_last_reload_successful") == 0
    assert rig.reload.refused


async def test_a_good_file_after_a_refused_one_clears_the_refusal(
    rig: Rig, reload: Reloads
) -> None:
    await rig.start()
    started = metric(rig, "monitor_config_last_reload_success_timestamp_seconds")
    assert started is not None
    await reload(refused=True, text="nonsense")
    rig.clock.advance(seconds=30)

    await reload()

    assert metric(rig, "monitor_config_last_reload_successful") == 1
    now = metric(rig, "monitor_config_last_reload_success_timestamp_seconds")
    assert now is not None
    assert now >= started + 30
    assert not rig.reload.refused


async def test_a_database_that_is_away_refuses_the_reload_and_the_next_one_works(
    any_rig: Rig, until: Until, capsys: Log, outage: Outage
) -> None:
    reload = Reloads(any_rig, until, capsys)
    await any_rig.start()
    any_rig.tail = declare("bolna", "b1")
    before = any_rig.engine.poller.sources

    async with outage():
        said = await reload(refused=True)
        assert any_rig.engine.poller.sources is before
    await reload()

    assert "the database" in said
    assert await any_rig.value("SELECT count(*) FROM batches") == 1
    structlog.reset_defaults()


async def test_a_shorter_interval_takes_effect_at_once(
    rig: Rig, until: Until, reload: Reloads
) -> None:
    rig.polling = 'interval = "1h"\ndeadline = "1s"'
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.polls("b1") == 1)

    rig.polling = 'interval = "50ms"\ndeadline = "1s"'
    await reload()

    await until(lambda: rig.polls("b1") > 3)


async def test_a_key_that_was_rotated_in_its_file_is_read_anew(
    rig: Rig, until: Until, reload: Reloads, tmp_path: Path
) -> None:
    """Also while the old one is still good: it may have leaked."""
    (tmp_path / "key").write_text(KEY)
    rig.show("b1")
    text = rig.write().read_text().replace(f'api_key = "{KEY}"', 'api_key_file = "key"')
    await rig.start()
    await reload(text=text)
    await rig.add("b1")
    await until(lambda: rig.polls("b1") > 1)

    (tmp_path / "key").write_text("the new key")
    await reload(text=text)
    await until(lambda: any(s.fault == "wrong_key" for s in rig.bolna.served))

    rig.bolna.key = "the new key"


async def test_a_receiver_that_was_corrected_is_tried_at_once(
    rig: Rig, until: Until, reload: Reloads, ops: Consumer
) -> None:
    rig.crm.status = 503
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.engine.receivers[0].hold is not None)
    await until(lambda: not rig.engine.receivers[0].in_flight)

    await reload(text=rig.write().read_text().replace(rig.crm.url, ops.url))

    await until(lambda: ops.types == ["batch.first_seen"])


async def test_a_source_cannot_come_back_with_another_provider(
    rig: Rig, reload: Reloads, second: SimulatedBolna
) -> None:
    rig.tail = source("new", second)
    await rig.start()
    rig.tail = ""
    await reload()

    rig.tail = source("new", second).replace('"bolna"', '"vogent"')
    said = await reload(refused=True)

    assert "sources.new: provider differs from 'bolna'" in said


async def test_what_nobody_foresaw_refuses_the_reload_too(
    rig: Rig, until: Until, reload: Reloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("monitor.app.build_receiver", fail)
        await reload(refused=True)
    assert metric(rig, "monitor_config_last_reload_successful") == 0

    await reload()
    assert metric(rig, "monitor_config_last_reload_successful") == 1


async def test_sighup_reloads_the_program_and_the_log_level_changes(
    rig: Rig, process: MakeProcess, until: Until, tmp_path: Path
) -> None:
    daemon = process(rig)
    await daemon.start()
    await until(daemon.started)
    rig.tail = declare("bolna", "missing")
    rig.bolna.fault(Fault.not_found())
    rig.monitor = 'log_level = "error"'
    rig.write()

    daemon.tell(signal.SIGHUP)
    await until(lambda: rig.bolna.record.answers > 3)
    rig.monitor = 'log_level = "nonsense"'
    rig.write()
    daemon.tell(signal.SIGHUP)
    await until(lambda: "config.reload_refused" in daemon.output)
    assert await daemon.stop() == 0

    assert not daemon.lines("poll.failing")
    (refused,) = daemon.lines("config.reload_refused")
    assert refused["reasons"] == [
        f"{rig.folder / 'config.toml'}:3: monitor.log_level: must be 'debug', 'info', 'warning' or"
        " 'error'"
    ]
    assert refused["level"] == "error"


async def test_a_reload_says_whether_anything_changed(rig: Rig, reload: Reloads) -> None:
    await rig.start()

    same = await reload()
    rig.polling = 'interval = "9s"\ndeadline = "60s"'
    other = await reload()
    again = await reload()

    assert ['"changed": false' in said for said in (same, other, again)] == [True, False, True]


async def test_a_file_with_very_many_mistakes_is_one_line_of_bounded_length(
    rig: Rig, reload: Reloads
) -> None:
    await rig.start()
    await reload()  # the log is JSON from here on
    text = rig.write().read_text()

    said = await reload(refused=True, text=text + declare("nowhere", "b") * 3000)

    (line,) = [json.loads(one) for one in said.splitlines() if "config.reload_refused" in one]
    assert len(line["reasons"]) == MOST_REASONS + 1
    assert line["reasons"][-1].startswith("and ")
    assert line["reasons"][-1].endswith(" more: `monitor check-config` lists them")

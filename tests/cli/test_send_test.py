import asyncio
import json
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from monitor.core.pause import Hold
from monitor.storage.deliveries.outbox import Reservation
from monitor.storage.deliveries.receiver_test import owe_receiver_test
from monitor.storage.receivers import hold_receiver, register_receivers
from tests import programs
from tests.cli.conftest import Run, both
from tests.consumer import SECRET, Consumer, sequences
from tests.patient import HANG
from tests.programs import PIPE
from tests.storage.store import Store

CERTIFICATES = Path(__file__).parents[1] / "net" / "data"

pytestmark = pytest.mark.usefixtures("in_force")


async def leave_pending(store: Store, *, at: datetime, owner: str = "cut-off") -> None:
    """Begin a test as a process does that is killed before it ends."""
    row = (await register_receivers(store.database, ["crm"]))["crm"]
    lease = timedelta(seconds=40)
    reservation = Reservation(owner=owner, lease={row.name: lease}, room={row.name: 1})
    await owe_receiver_test(
        store.database,
        row,
        kind="webhook",
        reservation=reservation,
        now=at,
    )


@both
async def test_a_test_goes_down_the_real_path(
    monitor: Run, consumer: Consumer, store: Store
) -> None:
    ended = await monitor("test", "crm")

    (body,) = (one.body for one in consumer.arrived)
    event = json.loads(body)
    Webhook(SECRET).verify(body.decode(), dict(consumer.arrived[0].headers))
    assert ended.code == 0
    assert ended.out.startswith("crm: delivered, 200, ")
    assert event["id"] in ended.out
    assert (event["type"], event["source"]) == ("monitor.test", "/receivers/crm")
    assert event["data"]["receiver"] == {"name": "crm", "kind": "webhook"}
    (delivery,) = (await monitor("deliveries", "-o", "json")).json
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)
    assert delivery["event"] == event["id"]
    routing = json.loads(await store.value("SELECT routing FROM events"))
    assert routing == {"receivers": ["crm"]}


async def test_a_test_makes_a_missing_database(
    monitor: Run, consumer: Consumer, in_force: Path
) -> None:
    assert (await monitor("test", "crm")).code == 0
    assert len(consumer.arrived) == 1
    assert (await asyncio.to_thread((in_force.parent / "monitor.db").exists)) is True


@both
async def test_each_test_has_the_receivers_next_sequence(
    monitor: Run, consumer: Consumer, store: Store
) -> None:
    for _ in range(3):
        await monitor("test", "crm")

    numbers = sequences(one.event for one in consumer.arrived)
    assert numbers == [1, 2, 3]
    assert await store.value("SELECT sequence FROM receivers WHERE name = 'crm'") == 3


@both
async def test_an_example_arrives_marked_and_counts_as_a_test(
    monitor: Run, consumer: Consumer, store: Store
) -> None:
    await monitor("test", "crm")
    ended = await monitor("test", "crm", "--type", "batch.failed")

    _, event = (one.event for one in consumer.arrived)
    assert ended.code == 0
    assert "it was the example of batch.failed with `data.test` true" in ended.out
    assert (event["type"], event["source"]) == ("batch.failed", "/receivers/crm")
    assert (event["data"]["test"], event["data"]["sequence"]) == (True, 2)
    assert event["data"]["batch"]["name"] == "reminders.csv"
    assert await store.rows("SELECT DISTINCT subject_kind, type FROM events") == [
        ("receiver", "monitor.test")
    ]
    assert await store.value("SELECT count(*) FROM batches") == 0
    assert (await monitor("events", "type = batch.failed", "-o", "json")).json == []
    shown = " ".join((await monitor("explain", event["id"])).out.split())
    assert "about receiver crm" in shown
    assert "what test: failed, 100%" in shown
    assert "a test goes to its receiver, whatever the routes say" in shown


async def test_a_type_that_there_is_not_is_wrong_usage(monitor: Run) -> None:
    ended = await monitor("test", "crm", "--type", "batch.faild")

    assert ended.code == 2
    assert "batch.failed" in ended.err


async def test_a_test_that_fails_is_dead_and_says_why(
    monitor: Run, consumer: Consumer, store: Store
) -> None:
    consumer.status = 503
    consumer.text = f"no [/b] such \x1b[31mthing {SECRET}"

    ended = await monitor("test", "crm")

    assert ended.code == 1
    assert ended.out.startswith("crm: failed, 503, ")
    assert "response: no [/b] such \ufffd[31mthing [redacted]" in ended.out
    assert SECRET not in ended.out
    assert await store.rows("SELECT state, due_at FROM deliveries") == [("dead", None)]
    assert await store.value("SELECT held_until FROM receivers") is None


async def test_a_receiver_that_nobody_listens_for_gets_a_hint(
    monitor: Run, rewrite: Callable[[str], None]
) -> None:
    rewrite(
        f'[receivers.gone]\nkind = "webhook"\nurl = "http://127.0.0.1:9/x"\nsecret = "{SECRET}"\n'
        "allow_http = true\nallow_private = true\n"
    )

    ended = await monitor("test", "gone")

    assert ended.code == 1
    assert ended.out.startswith("gone: failed, connect, ")
    assert "nobody listens there" in ended.out


async def test_a_hint_names_the_key_that_the_receiver_has(
    monitor: Run, rewrite: Callable[[str], None]
) -> None:
    rewrite(
        '[receivers.ops]\nkind = "slack"\nwebhook_url = "https://127.0.0.1:9/services/T/B/x"\n'
        "allow_private = true\n"
    )

    ended = await monitor("test", "ops")

    assert ended.out.startswith("ops: failed, connect, ")
    assert "check webhook_url, and the firewall" in ended.out


@pytest.fixture
async def portal() -> AsyncIterator[Consumer]:
    """Have a page answer that wants a login."""
    found = Consumer(None)
    found.text = "<html>Sign in to go on</html>"
    await found.start()
    yield found
    await found.stop()


async def test_who_is_not_slack_is_shown(
    monitor: Run, portal: Consumer, rewrite: Callable[[str], None]
) -> None:
    rewrite(
        f'[receivers.ops]\nkind = "slack"\nwebhook_url = "{portal.url}"\n'
        "allow_http = true\nallow_private = true\n"
    )

    ended = await monitor("test", "ops")

    assert ended.code == 1
    assert ended.out.startswith("ops: failed, 200, not_ok, ")
    assert "response: <html>Sign in to go on</html>" in ended.out
    assert "what answers there is not Slack: check its webhook_url" in ended.out


async def test_a_handshake_that_fails_says_openssls_reason(
    monitor: Run, rewrite: Callable[[str], None], store: Store
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "localhost.pem", CERTIFICATES / "localhost.key")
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    rewrite(
        f'[sources.s]\nprovider = "bolna"\napi_key = "key"\nbase_url = "{address}"\n'
        "allow_private = true\n"
        f'[receivers.r]\nkind = "webhook"\nurl = "{address}/"\nsecret = "{SECRET}"\n'
        "allow_private = true\n"
    )

    tested, polled = await monitor("test", "r"), await monitor("poll", "s", "b1")
    server.close()

    assert tested.out.startswith("r: failed, tls, ")
    assert "OpenSSL says: self-signed certificate\n" in tested.out
    assert await store.rows("SELECT response FROM attempts") == [("self-signed certificate",)]
    assert "the poll failed: tls: self-signed certificate, " in polled.err


async def test_only_that_receivers_secrets_are_needed(monitor: Run) -> None:
    ended = await monitor("test", "ops")

    assert ended.code == 1
    assert ended.err == (
        "receivers.ops.webhook_url: the environment variable NOT_SET_EITHER is not set\n"
    )


async def test_an_unknown_receiver_names_the_known_ones(monitor: Run) -> None:
    ended = await monitor("test", "cmr")

    assert ended.code == 1
    assert 'did you mean "crm"? There are: crm, ops' in ended.err


@both
async def test_a_success_lifts_the_hold_and_a_failure_does_not(
    monitor: Run, consumer: Consumer, store: Store
) -> None:
    now = datetime.now(UTC)
    await store.receivers("crm")
    await hold_receiver(
        store.database, "crm", Hold(since=now, until=now + timedelta(hours=1), step=3)
    )

    consumer.status = 500
    failed = await monitor("test", "crm")
    still = await store.value("SELECT held_until FROM receivers")
    consumer.status = 200
    arrived = await monitor("test", "crm")

    assert "the hold goes on" in failed.out
    assert still is not None
    assert "the hold lifted" in arrived.out
    assert await store.value("SELECT held_until FROM receivers") is None


async def test_a_test_waits_for_nothing_that_was_cut_off(
    monitor: Run, consumer: Consumer, store: Store
) -> None:
    await leave_pending(store, at=datetime.now(UTC) - timedelta(hours=1))

    ended = await monitor("test", "crm")

    assert ended.code == 0
    assert len(consumer.arrived) == 1
    states = await store.rows("SELECT state FROM deliveries ORDER BY id")
    assert states == [("dead",), ("delivered",)]


@both
async def test_two_tests_at_once_do_not_mix(monitor: Run, consumer: Consumer, store: Store) -> None:
    await leave_pending(store, at=datetime.now(UTC))

    ended = await monitor("test", "crm")

    assert ended.code == 1
    assert "another test of crm is under way" in ended.err
    assert consumer.arrived == []
    assert await store.value("SELECT sequence FROM receivers") == 1


async def test_ctrl_c_leaves_no_test_that_arrives_later(
    rewrite: Callable[[str], None], store: Store
) -> None:
    asked = asyncio.Event()

    async def never(_request: web.BaseRequest) -> web.StreamResponse:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    runner = web.ServerRunner(web.Server(never, handler_cancellation=True), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    rewrite(
        f'[receivers.slow]\nkind = "webhook"\nsecret = "{SECRET}"\nallow_http = true\n'
        f'url = "http://127.0.0.1:{runner.addresses[0][1]}/x"\nallow_private = true\n'
    )
    child = await programs.start("test", "slow", stderr=PIPE)
    async with asyncio.timeout(HANG):
        await asked.wait()
    child.send_signal(signal.SIGINT)
    _, err = await child.communicate()
    await runner.cleanup()

    assert child.returncode == 130
    assert b"Traceback" not in err
    assert await store.rows("SELECT state FROM deliveries") == [("dead",)]


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "has it another secret"), (404, "check the path of its url")]
)
async def test_a_refusal_says_what_to_look_at(
    status: int, hint: str, monitor: Run, consumer: Consumer, store: Store
) -> None:
    consumer.status = status

    assert hint in (await monitor("test", "crm")).out

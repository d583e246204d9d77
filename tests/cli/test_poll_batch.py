import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.cli.conftest import Run
from tests.providers.made_up_api import ACCESS, MadeUpApi
from tests.simulator.faults import Fault

pytestmark = pytest.mark.usefixtures("in_force")


async def test_poll_shows_a_reading_and_stores_nothing(
    monitor: Run, bolna: SimulatedBolna, in_force: Path
) -> None:
    counts = {"completed": 5, "ringing": 2, "sprouting": 1}
    bolna.put("x", bolna_document("x", status="running", execution_status=counts))

    ended = await monitor("poll", "bolna", "x")

    assert ended.code == 0
    for fact in (
        "bolna x\n",
        "name      customers.csv",
        "phase     running",
        "71.4%  5 finished, 3 open of 7",
        "calls     5 completed, 2 ringing, 1 sprouting",
        "unknown   sprouting",
        "contacts  7 valid, 11 in all",
        "nothing stored",
    ):
        assert fact in ended.out
    assert not (in_force.parent / "monitor.db").exists()


async def test_poll_prints_json(monitor: Run, bolna: SimulatedBolna) -> None:
    bolna.put("x", bolna_document("x", status="executed", execution_status={"completed": 7}))

    reading = (await monitor("poll", "bolna", "x", "-o", "json")).json

    assert reading.pop("duration_ms") >= 0
    assert reading.pop("read_at").endswith("Z")
    assert reading == {
        "source": "bolna",
        "provider": "bolna",
        "id": "x",
        "name": "customers.csv",
        "status": "executed",
        "phase": "ended",
        "outcome": "completed",
        "counts": {"completed": 7},
        "uncounted": None,
        "unknown_call_statuses": [],
        "total_contacts": 11,
        "valid_contacts": 7,
        "progress": {"total": 7, "finished": 7, "open": 0, "percent": 100.0},
        "scheduled_at": None,
    }


@pytest.mark.parametrize(
    ("fault", "failure", "hint"),
    [
        (Fault.unauthorized(), "unauthorized (401)", "the key is refused: check api_key"),
        (Fault.forbidden(), "forbidden (403)", "the key is refused"),
        (Fault.not_found(), "not_found (404)", "wrong id, key or account?"),
        (Fault.rate_limited(7), "rate_limited (429)", "too many requests"),
        (Fault.server_error(503), "server_error (503)", "the provider itself fails"),
        (Fault.html(), "invalid_body (200)", "the answer is no document of this batch"),
        (Fault.redirect("http://localhost/"), "redirect (307)", "base_url leads elsewhere"),
        (Fault.reset(), "disconnected", "the connection broke off"),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
async def test_a_failed_poll_says_what_to_do(
    fault: Fault, failure: str, hint: str, monitor: Run, bolna: SimulatedBolna
) -> None:
    bolna.fault(fault)

    ended = await monitor("poll", "bolna", "x", "-o", "json")

    assert ended.code == 1
    assert ended.out == ""
    assert ended.err.startswith(f"bolna x: the poll failed: {failure}, ")
    assert hint in ended.err
    assert "the-api-key" not in ended.err


async def test_a_private_address_is_named_with_its_key(
    monitor: Run, rewrite: Callable[[str], None], bolna: SimulatedBolna
) -> None:
    rewrite(
        f'[sources.b]\nprovider = "bolna"\napi_key = "k"\nallow_http = true\n'
        f'base_url = "{bolna.base_url}"\n'
    )

    ended = await monitor("poll", "b", "x")

    assert ended.code == 1
    assert "allow_private = true" in ended.err


GENERIC = """
[sources.acme]
provider = "generic"
url = "{origin}/v1/{{id}}"
headers = {{ "X-Key" = "the-secret-key", "X-Version" = "2026-03-01" }}
status = "state"
counts = "sum(values(calls))"
final_calls = ["done"]
completed = ["done"]
running = ["dialing"]
"""


@pytest.fixture
async def acme(rewrite: Callable[[str], None]) -> AsyncIterator[MadeUpApi]:
    async with MadeUpApi() as api:
        rewrite(GENERIC.format(origin=api.origin) + ACCESS)
        yield api


async def test_raw_shows_the_answer_and_what_each_expression_finds(
    monitor: Run, acme: MadeUpApi
) -> None:
    acme.put(
        "/v1/x",
        b'{"state": "dialing", "calls": {"done": null}, "since": "2026-03-01",'
        b' "to": "+14155550101", "echo": "the-secret-ke\\u0079", "odd": "[b]\\u001b[2J"}',
    )

    ended = await monitor("poll", "acme", "x", "--raw")

    assert ended.code == 1
    for fact in (
        "the answer: 200, ",
        '{\n  "state": "dialing",\n  "calls": {\n    "done": null\n  },\n',
        '  "since": "2026-03-01",\n',
        '  "to": "+14155550101",\n  "echo": "[redacted]",\n  "odd": "[b]\\u001b[2J"\n}',
        'status  state → "dialing"',
        "counts  sum(values(calls)) → sum() wants array-number, not null",
    ):
        assert fact in ended.out
    assert ended.err.startswith("acme x: the poll failed: expression counts (200), ")
    assert ended.err.endswith("\ncounts: sum() wants array-number, not null\n")


async def test_raw_shows_the_rule_that_a_value_breaks(
    monitor: Run, rewrite: Callable[[str], None], acme: MadeUpApi
) -> None:
    rewrite(GENERIC.format(origin=acme.origin) + 'scheduled_at = "since"\n' + ACCESS)
    acme.put("/v1/x", b'{"state": {"a": 1}, "calls": {"done": 2}, "since": "soon"}')

    ended = await monitor("poll", "acme", "x", "--raw")

    shown = re.sub(" *\n +", " / ", ended.out)
    assert 'status        state → {"a": 1} / must be a status word: ' in shown
    assert "→ 2 / must be an object of numbers" in shown
    assert 'since → "soon" / not understood: taken for none' in shown


async def test_a_value_that_does_not_fit_is_told_without_showing_it(
    monitor: Run, acme: MadeUpApi
) -> None:
    acme.put("/v1/x", b'{"state": ["+14155550101"], "calls": {"done": 2}}')

    ended = await monitor("poll", "acme", "x")

    _, status, counts, advice = ended.err.splitlines()
    assert status.startswith("status: must be a status word: ")
    assert status.endswith("; found an array")
    assert counts.endswith("; found a number")
    assert "`monitor poll SOURCE ID --raw`" in advice


@pytest.mark.parametrize(
    ("state", "calls", "hint"),
    [
        (
            "DONE?",
            {},
            "hint DONE? is in none of pending, running, paused, completed, failed, cancelled",
        ),
        (
            "done",
            {"done": 5, "not-reached": 20, "busy": 0, "later": 1},
            "hint ended with open calls: 20 not-reached, 1 later: add to final_calls what is over",
        ),
        (
            "dialing",
            {"Done": 5, "ringing": 2, "later": 1},
            "open 2 ringing: in neither final_calls nor parked_calls",
        ),
    ],
)
async def test_words_in_no_list_are_named(
    state: str,
    calls: dict[str, int],
    hint: str,
    monitor: Run,
    rewrite: Callable[[str], None],
    acme: MadeUpApi,
) -> None:
    table = GENERIC.replace("sum(values(calls))", "calls") + 'parked_calls = ["later"]\n'
    rewrite(table.format(origin=acme.origin) + ACCESS)
    acme.put("/v1/x", json.dumps({"state": state, "calls": calls}).encode())

    ended = await monitor("poll", "acme", "x")

    assert hint in " ".join(ended.out.split())


@pytest.mark.parametrize(
    ("counts", "answer", "hint"),
    [
        (
            "calls[].statuss",
            {"calls": [{"status": "done"}, {"status": "busy"}]},
            "hint counts found 2 items, and no status in any of them: is the field's name right?",
        ),
        (
            "map(&statuss, calls)",
            {"calls": [{"status": "done"}]},
            "hint counts found 1 item, and no status in any of them",
        ),
        ("cals[].status", {"calls": []}, "hint counts finds nothing: is its path right?"),
        ("cals", {"calls": {"done": 1}}, "hint counts finds nothing: is its path right?"),
        (
            "{done: don, busy: bsy}",
            {"done": 1},
            "hint counts found no number for done, busy: is the path",
        ),
        ("calls", {"calls": []}, "hint counts finds no calls, though there are 7: is its path"),
        ("calls", {"calls": {}}, "hint counts finds no calls, though there are 7: is its path"),
        ("calls", {"calls": {"done": 1}, "all": None}, "hint total finds nothing: is its path"),
    ],
)
async def test_an_expression_that_misses_is_named(
    counts: str,
    answer: dict[str, object],
    hint: str,
    monitor: Run,
    rewrite: Callable[[str], None],
    acme: MadeUpApi,
) -> None:
    table = GENERIC.replace("sum(values(calls))", "COUNTS").format(origin=acme.origin)
    rewrite(table.replace("COUNTS", counts) + 'total = "all"\nrest_calls = "waiting"\n' + ACCESS)
    acme.put("/v1/x", json.dumps({"state": "done", "all": 7} | answer).encode())

    ended = await monitor("poll", "acme", "x")

    said = " ".join(ended.out.split())
    assert hint in said
    assert "final_calls" not in said


async def test_a_call_without_a_status_is_never_told_to_be_final(
    monitor: Run, rewrite: Callable[[str], None], acme: MadeUpApi
) -> None:
    rewrite(GENERIC.replace("sum(values(calls))", "calls").format(origin=acme.origin) + ACCESS)
    calls = ["done", None, "busy"]

    acme.put("/v1/x", json.dumps({"state": "dialing", "calls": calls}).encode())
    runs = " ".join((await monitor("poll", "acme", "x")).out.split())
    acme.put("/v1/x", json.dumps({"state": "done", "calls": calls}).encode())
    ended = " ".join((await monitor("poll", "acme", "x")).out.split())

    assert "open 1 busy: in neither" in runs
    assert "hint ended with open calls: 1 busy: add to final_calls what is over" in ended
    assert "hint ended with open calls that have no status: 1" in ended


async def test_an_empty_list_of_no_calls_is_in_order(
    monitor: Run, rewrite: Callable[[str], None], acme: MadeUpApi
) -> None:
    rewrite(GENERIC.replace("sum(values(calls))", "calls").format(origin=acme.origin) + ACCESS)
    acme.put("/v1/x", b'{"state": "done", "calls": []}')

    assert "hint" not in (await monitor("poll", "acme", "x")).out


@pytest.mark.parametrize(
    ("calls", "cut"),
    [
        (["answered"] * 3000, "… 2,984 more of 3,000 items"),
        (["answered" * 30], "… 1 more of 1 items"),
        ({f"word {number}": number for number in range(30)}, "… 230 characters more"),
    ],
)
async def test_raw_says_how_much_of_a_long_value_it_leaves_out(
    calls: object,
    cut: str,
    monitor: Run,
    rewrite: Callable[[str], None],
    acme: MadeUpApi,
) -> None:
    rewrite(GENERIC.replace("sum(values(calls))", "calls").format(origin=acme.origin) + ACCESS)
    acme.put("/v1/x", json.dumps({"state": "done", "calls": calls}).encode())

    ended = await monitor("poll", "acme", "x", "--raw")

    shown = ended.out.split("its expressions find")[1]
    assert cut in " ".join(shown.split())
    assert len(shown) < 2000


async def test_raw_says_that_minus_one_is_unknown(
    monitor: Run, rewrite: Callable[[str], None], acme: MadeUpApi
) -> None:
    rewrite(GENERIC.format(origin=acme.origin) + 'total = "all"\n' + ACCESS)
    acme.put("/v1/x", b'{"state": "done", "all": -1, "calls": {"done": 2}}')

    shown = re.sub(" *\n +", " / ", (await monitor("poll", "acme", "x", "--raw")).out)

    assert "all → -1 / stands for unknown" in shown


async def test_words_that_are_all_in_a_list_need_no_hint(
    monitor: Run, rewrite: Callable[[str], None], acme: MadeUpApi
) -> None:
    rewrite(GENERIC.replace("sum(values(calls))", "calls").format(origin=acme.origin) + ACCESS)
    acme.put("/v1/x", b'{"state": "done", "calls": {"done": 5}}')

    ended = await monitor("poll", "acme", "x")

    assert ended.code == 0
    assert "hint" not in ended.out
    assert "final_calls" not in ended.out


async def test_raw_shows_the_reading_below(monitor: Run, bolna: SimulatedBolna) -> None:
    bolna.put("x", bolna_document("x", status="running"))

    ended = await monitor("poll", "bolna", "x", "--raw")

    assert ended.code == 0
    assert '"status": "running"' in ended.out
    assert "phase     running" in ended.out.split("}\n")[-1]
    assert "expressions" not in ended.out


@pytest.mark.parametrize("body", [b"<h1>no</h1> the-secret-key \x1b[2J", b"x" * 10_000])
async def test_raw_shows_an_answer_that_is_an_error(
    body: bytes, monitor: Run, acme: MadeUpApi
) -> None:
    acme.put("/v1/x", body, status=503)

    ended = await monitor("poll", "acme", "x", "--raw")

    assert ended.code == 1
    assert f"the answer: 503, {len(body):,} bytes" in ended.out
    assert "the-secret-key" not in ended.out
    assert "\x1b" not in ended.out
    assert len(ended.out) < 5000
    assert ended.err.startswith("acme x: the poll failed: server_error (503)")


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "check bearer, headers, query or password"), (307, "url leads elsewhere")],
)
async def test_a_remedy_names_the_keys_that_a_generic_source_has(
    status: int, hint: str, monitor: Run, acme: MadeUpApi
) -> None:
    acme.put("/v1/x", b"", status=status)

    ended = await monitor("poll", "acme", "x")

    assert hint in ended.err
    assert "base_url" not in ended.err


async def test_raw_json_is_the_answer_as_it_came(monitor: Run, acme: MadeUpApi) -> None:
    acme.put("/v1/x", b'{"state":"dialing",  "calls": {"done":2}, "k": "the-secret-key"}')

    ended = await monitor("poll", "acme", "x", "--raw", "-o", "json")

    assert ended.out == '{"state":"dialing",  "calls": {"done":2}, "k": "[redacted]"}\n'


async def test_raw_without_an_answer_shows_why(monitor: Run, acme: MadeUpApi) -> None:
    await acme.__aexit__(None, None, None)

    ended = await monitor("poll", "acme", "x", "--raw")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("acme x: the poll failed: connect, ")


async def test_poll_needs_no_key_where_none_is_asked_for(
    monitor: Run, rewrite: Callable[[str], None], acme: MadeUpApi
) -> None:
    keyless = re.sub("(headers|counts|final_calls) = .*\n", "", GENERIC)
    rewrite(keyless.format(origin=acme.origin) + ACCESS)
    acme.put("/v1/x", b'{"state": "done"}')

    ended = await monitor("poll", "acme", "x", "-o", "json")

    assert (ended.json["provider"], ended.json["phase"]) == ("generic", "ended")


async def test_poll_names_every_missing_secret_of_its_source(
    monitor: Run, rewrite: Callable[[str], None]
) -> None:
    headers = '{ "X-Key_env" = "NOT_SET", "X-Other_env" = "NOT_SET_EITHER" }'
    rewrite(
        re.sub("headers = .*", f"headers = {headers}", GENERIC.format(origin="https://a.example"))
    )

    ended = await monitor("poll", "acme", "x")

    assert ended.code == 1
    assert ended.err == (
        "sources.acme.headers.X-Key: the environment variable NOT_SET is not set\n"
        "sources.acme.headers.X-Other: the environment variable NOT_SET_EITHER is not set\n"
    )


async def test_poll_needs_the_key_and_says_where_it_looked(monitor: Run) -> None:
    ended = await monitor("poll", "vogent", "x")

    assert ended.code == 1
    assert ended.err == (
        "sources.vogent.api_key: the environment variable NOT_SET_ANYWHERE is not set\n"
    )


@pytest.mark.parametrize(
    ("source", "batch_id", "reason"),
    [
        ("nobody", "x", 'there is no source "nobody"; there are: bolna, vogent'),
        ("bolna", "https://app.bolna.ai/batches/3c90c3cc", "this is a URL, not a batch id"),
    ],
)
async def test_what_cannot_be_polled_is_refused(
    source: str, batch_id: str, reason: str, monitor: Run, bolna: SimulatedBolna
) -> None:
    ended = await monitor("poll", source, batch_id)

    assert ended.code == 1
    assert reason in ended.err
    assert bolna.served == []

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from monitor.core.event import EventType
from monitor.core.failure import FailureKind
from monitor.sinks.slack_blocks import message

Document = dict[str, Any]

NASTY = [
    "<!channel>",
    "<!here|here>",
    "<@U024BE7LH>",
    "<#C123|general>",
    "<https://evil.example|click>",
    "@here @channel @everyone",
    "https://evil.example/x www.evil.example",
    "&lt;!channel&gt;",
    "*bold* _it_ ~no~ `code` ```block```",
    "\u202egnp.exe\x00\x1b[31m",
    "a\r\n> quote\n\n# head",
    "&" * 256,
    "<" * 256,
    "😀" * 256,
    "@" * 256,
    " ",
    "",
]
hostile = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=()), max_size=256)
number = st.integers(min_value=-(2**63), max_value=2**63 - 1)
counts = st.dictionaries(hostile.map(lambda text: text[:64]), number, max_size=40)
stamp = st.datetimes().map(lambda at: at.isoformat(timespec="milliseconds") + "Z")
known = st.fixed_dictionaries(
    {
        "batch": st.fixed_dictionaries(
            {
                "source": hostile,
                "provider": hostile,
                "id": hostile,
                "name": st.none() | hostile,
                "labels": st.dictionaries(hostile, hostile, max_size=32),
            }
        ),
        "sequence": number,
        "status": st.none() | hostile,
        "previous_status": st.none() | hostile,
        "phase": st.none() | st.sampled_from(["pending", "ended"]),
        "outcome": st.none() | st.sampled_from(["completed", "failed"]),
        "counts": st.none() | counts,
        "changes": counts,
        "total_contacts": st.none() | number,
        "valid_contacts": st.none() | number,
        "progress": st.fixed_dictionaries(
            {
                "total": st.none() | number,
                "finished": st.none() | number,
                "open": st.none() | number,
                "percent": st.none() | st.floats(0, 100),
            }
        ),
    },
    optional={
        "duration_seconds": st.none() | st.floats(0, 1e9),
        "late": st.booleans(),
        "since": st.none() | stamp,
        "scheduled_at": st.none() | stamp,
        "forecast": st.none()
        | st.fixed_dictionaries(
            {"calls_per_minute": st.floats(0, 2**63), "ends_at": st.none() | stamp}
        ),
        "error": st.fixed_dictionaries(
            {
                "kind": st.none() | st.sampled_from(list(FailureKind)) | hostile,
                "status_code": st.none() | st.integers(100, 599),
            }
        ),
    },
)
about_source = st.fixed_dictionaries(
    {
        "source": st.fixed_dictionaries(
            {"name": hostile, "provider": hostile, "labels": st.dictionaries(hostile, hostile)}
        )
    }
)
about_receiver = st.fixed_dictionaries(
    {"receiver": st.fixed_dictionaries({"name": hostile, "kind": hostile})}
)
documents = st.fixed_dictionaries(
    {
        "id": hostile,
        "type": st.sampled_from([*EventType, "batch.from_the_future"]),
        "subject": hostile,
        "time": stamp,
        "data": known | about_source | about_receiver,
    }
)


def texts_of(payload: Document) -> list[str]:
    texts = [payload["text"]]
    for block in payload["blocks"]:
        texts += [part["text"] for part in block.get("elements") or [block["text"]]]
    return texts


@given(documents)
def test_no_event_breaks_slacks_limits(document: Document) -> None:
    payload = message(document)

    texts = texts_of(payload)
    assert len(payload["blocks"]) <= 50
    assert all(text.strip() for text in texts)
    assert all(len(text) <= 3000 for text in texts)
    assert sum(map(len, texts)) <= 13_000
    for block in Block.parse_all(payload["blocks"]):
        block.validate_json()


@given(documents)
def test_no_event_brings_markup_mentions_links_or_controls(document: Document) -> None:
    payload = message(document)

    for text in texts_of(payload):
        left = re.sub(
            r"<!date\^-?\d+\^\{date_short_pretty\} \{time(_secs)?\}\|[\d :UTC-]+>", "", text
        )
        assert not re.search("[<>]", left)
        assert not re.search(r"&(?!amp;|lt;|gt;)", left)
        assert not re.search(r"@\w|://|www\.", left, re.IGNORECASE)
        controls = {unicodedata.category(c) for c in left.replace("\n", "")} & {"Cc", "Cs"}
        assert not controls
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", left)
    for block in payload["blocks"]:
        for part in block.get("elements") or [block["text"]]:
            assert part["type"] == "plain_text" or part["verbatim"] is True
    assert (payload["unfurl_links"], payload["unfurl_media"]) == (False, False)


@given(documents.filter(lambda document: "batch" in document["data"]))
def test_a_header_fits_and_says_what_happened(document: Document) -> None:
    header = message(document)["blocks"][0]

    assert header["type"] == "header"
    assert 0 < len(header["text"]["text"]) <= 150


def test_a_status_change_shows_the_batch_and_both_statuses(document: Document) -> None:
    payload = message(document)

    header, facts, _, context = texts_of(payload)[1:]
    assert header == "🔄 Status changed: customers.csv"
    assert facts == "Status: *queued → executed (ended)*"
    assert "`3c90c3cc0d444b5088888dd25736052a` · team: collections · env: prod" in context


def test_one_line_says_it_all_what_is_new_first(document: Document) -> None:
    assert message(document)["text"] == (
        "🔄 Status changed: customers.csv · queued → executed (ended) · 71.4 % · "
        "5 of 7 calls finished · batch 3c90c3cc0d444b5088888dd25736052a of bolna-prod"
    )


def test_a_name_is_said_again_only_if_the_header_cannot_hold_it(document: Document) -> None:
    document["data"]["batch"]["name"] = "n" * 200

    header, facts = texts_of(message(document))[1:3]

    assert header.endswith("n…")
    assert facts.startswith(f"*{'n' * 200}*\n")


@pytest.mark.parametrize("event_type", ["batch.counts_changed", "batch.reopened"])
def test_what_is_about_calls_says_nothing_of_a_status_that_stayed(
    document: Document, event_type: str
) -> None:
    document["type"] = event_type
    moved = texts_of(message(document))
    document["data"]["previous_status"] = "executed"
    stayed = texts_of(message(document))

    assert "Status: *queued → executed (ended)*" in moved
    assert not any(text.startswith("Status") for text in stayed)


def test_progress_and_counts_show_with_their_signed_changes(document: Document) -> None:
    calls = message(document)["blocks"][2]["text"]["text"]

    assert calls.splitlines() == [
        "██████████████░░░░░░ 71.4 %",
        "5 of 7 calls finished · 11 contacts, 7 valid",
        "completed 5 (+5) · ringing 2 (-5)",
    ]


@pytest.mark.parametrize(
    ("totals", "shown"),
    [
        ({"valid_contacts": 7, "total_contacts": 7}, ["7 contacts"]),
        ({"valid_contacts": None, "total_contacts": 11}, ["11 contacts"]),
        ({"valid_contacts": None, "total_contacts": None}, []),
    ],
)
def test_contacts_show_once(document: Document, totals: Document, shown: list[str]) -> None:
    document["data"] |= {"counts": None, "changes": {}, **totals}
    document["data"]["progress"] = dict.fromkeys(("total", "finished", "open", "percent"))

    assert texts_of(message(document))[3:-1] == shown


def test_calls_that_are_gone_show_as_zero(document: Document) -> None:
    document["data"] |= {"counts": {"completed": 7}, "changes": {"completed": 2, "ringing": -2}}

    assert "completed 7 (+2) · ringing 0 (-2)" in message(document)["blocks"][2]["text"]["text"]


@pytest.mark.parametrize(
    ("ending", "shown"),
    [
        ({"duration_seconds": 7523.2, "late": False}, "Duration: 2 h 5 min"),
        ({"duration_seconds": None, "late": True}, "It had already ended when it was first seen."),
    ],
)
def test_an_end_shows_its_duration_or_lateness(
    document: Document, ending: Document, shown: str
) -> None:
    document["type"] = "batch.completed"
    document["data"] |= ending

    assert message(document)["blocks"][1]["text"]["text"].splitlines()[-1] == shown


@pytest.mark.parametrize(
    ("settled_by", "left", "shown"),
    [
        ("silence", 2, "2 calls were left open: none of them has moved for a long while"),
        ("confirmed", 1, "1 call was left open: nobody is dialled or spoken any more"),
    ],
)
def test_an_end_shows_what_it_left_open_in_the_blocks_and_in_the_line(
    document: Document, settled_by: str, left: int, shown: str
) -> None:
    document["type"] = "batch.cancelled"
    document["data"]["progress"]["open"] = left
    document["data"] |= {"settled_by": settled_by, "unknown_call_statuses": ["_dozing_"]}

    told = message(document)

    *_, before, last = told["blocks"][1]["text"]["text"].splitlines()
    assert before == shown
    assert last.startswith("Calls with a status that we do not know count as open: \u02cddozing")
    assert shown in told["text"]


def test_an_end_that_left_nothing_open_says_nothing_of_it(document: Document) -> None:
    document["type"] = "batch.completed"
    document["data"]["progress"]["open"] = 0
    document["data"] |= {"settled_by": "counts", "unknown_call_statuses": []}

    assert "open" not in str(message(document))


def test_the_context_shows_source_provider_time_and_a_short_id(document: Document) -> None:
    context = message(document)["blocks"][-1]["elements"][0]["text"]

    date = "<!date^1769675462^{date_short_pretty} {time_secs}|2026-01-29 08:31:02 UTC>"
    assert context.splitlines()[1] == f"bolna-prod · bolna · {date} · {document['id'][:12]}"


def test_a_batch_that_was_never_read_shows_why(document: Document) -> None:
    document["type"] = "batch.unreachable"
    unread = ("status", "previous_status", "phase", "outcome", "counts", "progress")
    document["data"] |= dict.fromkeys((*unread, "total_contacts", "valid_contacts"))
    document["data"] |= {
        "changes": {},
        "error": {"kind": "not_found", "status_code": 404},
        "since": "2026-01-29T08:21:02.114Z",
    }
    document["data"]["batch"]["name"] = None

    payload = message(document)

    assert payload["blocks"][0]["text"]["text"].endswith(document["subject"])
    assert [block["type"] for block in payload["blocks"]] == ["header", "section", "context"]
    trouble, known = payload["blocks"][1]["text"]["text"].splitlines()
    assert trouble.startswith("Polls fail: not found (HTTP 404) since <!date^1769674862^")
    assert known == "It was never read: is the id right?"
    assert " · Polls fail: not found (HTTP 404) · batch " in payload["text"]


def test_a_batch_whose_answer_is_too_large_names_the_remedy(document: Document) -> None:
    document["type"] = "batch.unreachable"
    document["data"] |= {"since": "2026-01-29T08:21:02.114Z"}
    document["data"]["error"] = {"kind": "too_large", "status_code": 200}

    shown = json.dumps(message(document))

    assert "Polls fail: too large" in shown
    assert "`monitor poll` says what to do." in shown


def test_what_an_unreachable_batch_shows_is_the_last_that_is_known(document: Document) -> None:
    document["type"] = "batch.unreachable"
    document["data"]["previous_status"] = "executed"

    facts = message(document)["blocks"][1]["text"]["text"]

    assert facts == "Last known status: *executed (ended)*"


def test_an_end_of_trouble_shows_since_when_it_was(document: Document) -> None:
    document["type"] = "batch.reachable"
    document["data"] |= {"since": "2026-01-29T08:21:02.114Z"}

    facts = message(document)["blocks"][1]["text"]["text"]

    assert facts.startswith("Polls had failed since <!date^1769674862^")


@pytest.mark.parametrize(
    ("event_type", "fact"),
    [
        ("batch.stalled", "No call has moved for 25 min 8 s, since <!date^1769673954^"),
        ("batch.progressing", "No call had moved for 25 min 8 s, since <!date^1769673954^"),
        ("batch.overdue", "Late by 16 min 2 s, scheduled for <!date^1769674500^"),
    ],
)
def test_what_lasts_too_long_shows_for_how_long(
    document: Document, event_type: str, fact: str
) -> None:
    document["type"] = event_type
    document["data"] |= {
        "since": "2026-01-29T08:05:54.114Z",
        "scheduled_at": "2026-01-29T08:15:00.000Z",
    }

    payload = message(document)

    assert payload["blocks"][1]["text"]["text"].startswith(fact)
    assert f" · {fact.partition(',')[0]} · " in payload["text"]


@pytest.mark.parametrize(
    ("pace", "ends_at", "shown"),
    [
        (12.4, None, "\n5 of 7 calls finished · 11 contacts, 7 valid\n12 calls/min\n"),
        (
            0.25,
            "2026-01-29T14:30:00.000Z",
            "0.25 calls/min, ends about <!date^1769697000^{date_short_pretty} {time}"
            "|2026-01-29 14:30 UTC>",
        ),
    ],
)
def test_a_pace_and_its_end_show_beside_the_progress(
    document: Document, pace: float, ends_at: str | None, shown: str
) -> None:
    document["data"]["forecast"] = {"calls_per_minute": pace, "ends_at": ends_at}

    payload = message(document)

    assert shown in payload["blocks"][2]["text"]["text"]
    assert " calls/min · batch " in payload["text"]
    assert "ends" not in payload["text"]


def test_a_source_shows_its_trouble(document: Document) -> None:
    document |= {"type": "source.failing", "subject": "bolna-prod"}
    document["data"] = {
        "source": {"name": "bolna-prod", "provider": "bolna", "labels": {"env": "prod"}},
        "error": {"kind": "unauthorized", "status_code": 401},
        "since": "2026-01-29T08:21:02.114Z",
    }

    payload = message(document)

    assert payload["text"] == "🔥 Source failing: bolna-prod · Polls fail: unauthorized (HTTP 401)"
    trouble, context = texts_of(payload)[2:]
    assert trouble.startswith("Polls fail: unauthorized (HTTP 401) since <!date^1769674862^")
    assert context.splitlines()[0] == "env: prod"


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("unauthorized", ["The provider refuses the key: renew it."]),
        ("forbidden", ["The provider refuses the key: renew it."]),
        ("key_missing", ["The key cannot be read: `monitor check-config` says why."]),
        ("timeout", []),
    ],
)
def test_a_source_whose_key_is_the_trouble_names_the_remedy(
    document: Document, kind: str, remedy: list[str]
) -> None:
    document |= {"type": "source.failing", "subject": "bolna-prod"}
    document["data"] = {
        "source": {"name": "bolna-prod", "provider": "bolna", "labels": {}},
        "error": {"kind": kind, "status_code": None},
        "since": "2026-01-29T08:21:02.114Z",
    }

    facts = message(document)["blocks"][1]["text"]["text"]

    assert facts.splitlines()[1:] == remedy


def test_a_source_that_is_well_again_shows_what_it_had(document: Document) -> None:
    document |= {"type": "source.recovered", "subject": "bolna-prod"}
    document["data"] = {
        "source": {"name": "bolna-prod", "provider": "bolna", "labels": {}},
        "error": {"kind": "unauthorized", "status_code": 401},
        "since": "2026-01-29T08:21:02.114Z",
    }

    facts = message(document)["blocks"][1]["text"]["text"]

    assert facts.startswith("Polls had failed: unauthorized (HTTP 401) since <!date^")
    assert "renew" not in facts


def test_a_source_that_left_the_config_is_not_said_to_be_well(document: Document) -> None:
    document |= {"type": "source.recovered", "subject": "bolna-prod"}
    document["data"] = {
        "source": {"name": "bolna-prod", "provider": "bolna", "labels": {}},
        "error": {"kind": "unauthorized", "status_code": 401},
        "since": "2026-01-29T08:21:02.114Z",
        "removed": True,
    }

    payload = message(document)

    assert payload["text"].startswith("👋 Source removed: bolna-prod · Polls had failed")


def test_a_test_says_that_it_is_one(document: Document) -> None:
    document |= {"type": "monitor.test", "subject": "ops"}
    document["data"] = {"receiver": {"name": "ops", "kind": "slack"}}

    payload = message(document)

    assert payload["text"] == "🔔 Test: ops"
    assert "This receiver works" in payload["blocks"][1]["text"]["text"]


def test_an_example_says_first_that_it_is_a_test(document: Document) -> None:
    document["data"]["test"] = True

    payload = message(document)

    assert payload["text"].startswith("🔔 Test: 🔄 Status changed: customers.csv")
    assert payload["blocks"][0]["text"]["text"].startswith("🔔 Test: 🔄 Status changed")
    assert "nothing of it has happened" in payload["blocks"][1]["text"]["text"]


@pytest.mark.parametrize("event_type", EventType)
def test_every_type_of_event_has_its_headline(document: Document, event_type: str) -> None:
    document["type"] = event_type

    assert "." not in message(document)["text"].split(":")[0]


def test_many_labels_and_counts_are_cut_and_said_so(document: Document) -> None:
    document["data"]["batch"]["labels"] = {f"label-{n}": "<" * 256 for n in range(32)}
    document["data"]["counts"] = {f"{n}-" + "&" * 60: n for n in range(32)}

    _, _, calls, context = texts_of(message(document))[1:]

    assert context.splitlines()[0].endswith("and 22 more")
    assert re.search(r"and \d+ more$", calls)

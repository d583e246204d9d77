import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from monitor.core.delivery import SCHEDULE, Delivery, Verdict, VerdictKind
from monitor.sinks import ReceiverSettings, SlackSettings
from monitor.sinks.slack import SlackSink
from monitor.sinks.slack_blocks import message
from tests.consumer import Consumer

AT = datetime(2026, 1, 29, 8, 31, 2, tzinfo=UTC)

MakeDelivery = Callable[..., Delivery]


def settings_of(**table: Any) -> SlackSettings:
    settings = TypeAdapter[Any](ReceiverSettings).validate_python({"kind": "slack"} | table)
    assert isinstance(settings, SlackSettings)
    return settings


@pytest.fixture
async def sink(receiver: Consumer) -> AsyncIterator[SlackSink]:
    table = {"webhook_url": receiver.url, "allow_http": True, "allow_private": True}
    sink = SlackSink(settings_of(**table))
    yield sink
    await sink.close()


async def test_the_message_is_posted_as_json(
    receiver: Consumer, sink: SlackSink, make_delivery: MakeDelivery
) -> None:
    delivery = make_delivery()

    verdict = await sink.send(delivery, sent_at=AT)

    assert verdict == Verdict(kind=VerdictKind.DELIVERED, status_code=200)
    assert receiver.arrived[0].headers["content-type"] == "application/json"
    assert receiver.arrived[0].event == message(json.loads(delivery.body))


@pytest.mark.parametrize(
    "word",
    [
        "invalid_payload",
        "invalid_blocks",
        "invalid_blocks_format",
        "too_many_attachments",
        "no_text",
    ],
)
async def test_a_refused_message_goes_again_at_once_as_plain_text(
    receiver: Consumer, sink: SlackSink, make_delivery: MakeDelivery, word: str
) -> None:
    receiver.script.extend([web.Response(status=400, text=word)])

    verdict = await sink.send(make_delivery(), sent_at=AT)

    first, second = (one.event for one in receiver.arrived)
    assert verdict.kind is VerdictKind.DELIVERED
    assert second == {key: value for key, value in first.items() if key != "blocks"}


async def test_a_message_refused_twice_follows_its_schedule(
    receiver: Consumer, sink: SlackSink, make_delivery: MakeDelivery
) -> None:
    receiver.script.extend([web.Response(status=400, text="invalid_blocks") for _ in range(3)])

    verdict = await sink.send(make_delivery(), sent_at=AT)

    assert (verdict.kind, verdict.error) == (VerdictKind.RETRY, "invalid_blocks")
    assert len(receiver.arrived) == 2


@pytest.mark.parametrize(
    ("status_code", "word", "kind"),
    [
        (403, "action_prohibited", VerdictKind.RETRY),
        (403, "invalid_token", VerdictKind.RETRY),
        (403, "posting_to_general_channel_denied", VerdictKind.RETRY),
        (403, "team_disabled", VerdictKind.RETRY),
        (404, "channel_not_found", VerdictKind.RETRY),
        (404, "no_service", VerdictKind.RETRY),
        (404, "no_team", VerdictKind.RETRY),
        (410, "channel_is_archived", VerdictKind.DEAD),
        (429, "rate_limited", VerdictKind.HOLD),
        (500, "rollup_error", VerdictKind.HOLD),
    ],
)
async def test_slacks_word_names_the_failure_and_the_status_judges_it(
    receiver: Consumer,
    sink: SlackSink,
    make_delivery: MakeDelivery,
    status_code: int,
    word: str,
    kind: VerdictKind,
) -> None:
    receiver.script.extend([web.Response(status=status_code, text=f"{word}\n")])

    verdict = await sink.send(make_delivery(), sent_at=AT)

    assert (verdict.kind, verdict.error, verdict.response) == (kind, word, word)
    assert len(receiver.arrived) == 1


async def test_a_word_nobody_knows_is_no_error_of_ours(
    receiver: Consumer, sink: SlackSink, make_delivery: MakeDelivery
) -> None:
    receiver.script.extend([web.Response(status=403, text="<html>your proxy</html>")])

    verdict = await sink.send(make_delivery(), sent_at=AT)

    assert (verdict.error, verdict.response) == (None, "<html>your proxy</html>")


def test_slack_gets_one_message_a_second() -> None:
    settings = settings_of(webhook_url_env="SLACK_WEBHOOK_URL")

    assert (settings.slots, settings.spacing) == (1, timedelta(seconds=1))
    assert settings.schedule == SCHEDULE


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ({}, "one of webhook_url, webhook_url_env, webhook_url_file"),
        ({"webhook_url": "http://hooks.slack.com/x"}, "needs allow_http = true"),
        ({"webhook_url": "hooks.slack.com/services/T/B/x"}, "must be a URL"),
        ({"webhook_url_env": "A", "timeout": "5s"}, "Extra inputs"),
    ],
)
def test_a_mistake_is_named(table: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings_of(**table)

    messages = [error["msg"] for error in caught.value.errors(include_input=False)]
    assert any(mistake in message for message in messages), messages


def test_the_webhook_url_shows_nowhere() -> None:
    settings = settings_of(webhook_url="https://hooks.slack.com/services/T/B/verysecret")

    assert "verysecret" not in repr(settings)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (web.Response(text="ok"), (VerdictKind.DELIVERED, None)),
        (web.Response(text=" ok\n"), (VerdictKind.DELIVERED, None)),
        (web.Response(text='{"ok":true}'), (VerdictKind.DELIVERED, None)),
        (web.Response(), (VerdictKind.HOLD, "not_ok")),
        (web.Response(status=204), (VerdictKind.HOLD, "not_ok")),
        (web.Response(text="OK, but who?"), (VerdictKind.HOLD, "not_ok")),
        (web.Response(text="<html>Sign in to go on</html>"), (VerdictKind.HOLD, "not_ok")),
        (web.Response(text="{"), (VerdictKind.HOLD, "not_ok")),
        (web.Response(text='{"ok":false}'), (VerdictKind.HOLD, "not_ok")),
        (web.Response(text='{"ok":1}'), (VerdictKind.HOLD, "not_ok")),
        (web.Response(text='{"ok":false,"error":"odd"}'), (VerdictKind.HOLD, "not_ok")),
        (web.Response(text='{"ok":false,"error":["no_service"]}'), (VerdictKind.HOLD, "not_ok")),
        (web.Response(text="no_service"), (VerdictKind.RETRY, "no_service")),
        (
            web.Response(text='{"ok":false,"error":"channel_not_found"}'),
            (VerdictKind.RETRY, "channel_not_found"),
        ),
        (
            web.Response(text='{"ok":false,"error":"rate_limited"}'),
            (VerdictKind.HOLD, "rate_limited"),
        ),
    ],
    ids=lambda value: value.text if isinstance(value, web.Response) else "",
)
async def test_a_2xx_counts_if_slack_says_ok(
    receiver: Consumer,
    sink: SlackSink,
    make_delivery: MakeDelivery,
    answer: web.Response,
    expected: tuple[VerdictKind, str | None],
) -> None:
    """What stands in between (a sign-in page, a proxy) answers 200, too."""
    text = answer.text
    receiver.script.append(answer)

    verdict = await sink.send(make_delivery(), sent_at=AT)

    assert (verdict.kind, verdict.error) == expected
    assert verdict.status_code == answer.status
    assert verdict.response == (text if expected[1] and text else None)


async def test_blocks_that_are_refused_by_a_200_go_again_as_text(
    receiver: Consumer, sink: SlackSink, make_delivery: MakeDelivery
) -> None:
    receiver.script.extend([web.Response(text='{"ok":false,"error":"invalid_blocks"}')])

    verdict = await sink.send(make_delivery(), sent_at=AT)

    assert (verdict.kind, len(receiver.arrived)) == (VerdictKind.DELIVERED, 2)

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from monitor.config.load import load
from monitor.core.errors import ConfigError
from monitor.secret import Secret

Write = Callable[[str], Path]

BATCH = UUID("3c90c3cc-0d44-4b50-8888-8dd25736052a")


def mistakes_in(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        load(path)
    assert all("\n" not in mistake for mistake in refusal.value.mistakes)
    return [mistake.removeprefix(f"{path}:") for mistake in refusal.value.mistakes]


def mistake_in(path: Path) -> str:
    (mistake,) = mistakes_in(path)
    return mistake


def test_a_file_with_five_mistakes_yields_five_lines_in_its_order(write: Write) -> None:
    path = write(
        """[monitor]
log_level = "loud"

[sources.bolna-prod]
provider = "bolna"
api_key = "sk-very-secret"
rate_limt = "10/s"

[[batches]]
source = "bolna"
id = "abc"

[receivers.ops]
kind = "slack"
webhook_url_env = "SLACK_WEBHOOK_URL"

[[routes]]
receiver = "ops"
matchers = [
  "type = batch.completed",
  "type =~ (",
]

[[routes]]
receiver = "opps"
"""
    )

    assert mistakes_in(path) == [
        "2: monitor.log_level: must be 'debug', 'info', 'warning' or 'error'",
        '7: sources.bolna-prod.rate_limt: is not a known key; did you mean "rate_limit"? '
        "Allowed: allow_http, allow_private, interval, settle_after, stall_after, overdue_after, "
        "hours, rate_limit, labels, ca_file, api_key, api_key_env, api_key_file, base_url, "
        "provider, discover",
        '10: batches[0].source: there is no source "bolna"; did you mean "bolna-prod"? '
        "There are: bolna-prod",
        "21: routes[0].matchers[1]: the regular expression '(' does not compile: "
        "missing ): ^(?:()$",
        '25: routes[1].receiver: there is no receiver "opps"; did you mean "ops"? There are: ops',
    ]


OPS = "[receivers.ops]\nkind = 'slack'\nwebhook_url_env = 'URL'\n"
SOURCE = '[sources.x]\nprovider = "bolna"\n'


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("monitor = 1", "1: monitor: must be a table"),
        ("sources = []", "1: sources: must be a table"),
        ("[sources]\nx = 1", "2: sources.x: must be a table"),
        ("[routes]", "1: routes: must be an array of tables: [[routes]]"),
        (
            f"{OPS}[[routes]]\nreceiver = 'ops'\nmatchers = 'type = x'",
            '6: routes[0].matchers: must be an array of texts such as ["type = batch.completed"]',
        ),
        ("colour = 1", "1: colour: is not a known key; allowed: monitor, database, server, "),
        ('"a\\nb" = 1', '1: "a\\nb": is not a known key'),
        ('[monitor]\nheartbeat_url = "x"', "2: monitor.heartbeat_url: must be a URL such as"),
        ('[monitor]\ninstance = "a"', "2: monitor.instance: is not a known key"),
        ("[monitor]\nlog_level = true", "2: monitor.log_level: must be 'debug', 'info', 'warn"),
        ('[monitor]\nretention = "1s"', '2: monitor.retention: must be from "1m" to "36500d"'),
        ('[server]\nlisten = "8470"', '2: server.listen: must be "HOST:PORT", such as '),
        ('[server]\nlisten = "::1:80"', '2: server.listen: must be "HOST:PORT", such as '),
        ('[server]\nlisten = "[::g]:80"', '2: server.listen: must be "HOST:PORT", such as '),
        ('[server]\nlisten = "a:65536"', '2: server.listen: must be "HOST:PORT", such as '),
        ("[server]\nlisten = 8470", "2: server.listen: must be a text in quotes"),
        ("[polling]\nconcurrency = true", "2: polling.concurrency: must be a whole number"),
        ('[polling]\nconcurrency = "9"', "2: polling.concurrency: must be a whole number"),
        ("[polling]\nconcurrency = 1.0", "2: polling.concurrency: must be a whole number"),
        ("[polling]\nconcurrency = 0", "2: polling.concurrency: must be greater than or equal to"),
        (f"[polling]\nconcurrency = {'9' * 99}", "2: polling.concurrency: must be less than or "),
        ("[polling]\ninterval = 30", '2: polling.interval: must be a duration such as "500ms"'),
        ('[polling]\ninterval = "0s"', '2: polling.interval: must be from "10ms" to "36500d"'),
        ('[polling]\nstall_after = "0s"', '2: polling.stall_after: must be from "10ms" to'),
        ('[polling]\nforget_after = "0s"', '2: polling.forget_after: must be from "1ms" to'),
        ('[polling]\ninterval = "1ms"', '2: polling.interval: must be from "10ms" to "36500d"'),
        (f"{SOURCE}api_key = 'a'\ninterval = '1ms'", '4: sources.x.interval: must be from "10ms"'),
        ('[polling]\nforget_after = "36501d"', '2: polling.forget_after: must be from "1ms" to'),
        ('[polling]\ndeadline = "1h"', '2: polling.deadline: must be from "100ms" to "10m"'),
        ('[database]\nurl = "mysql://h/n"', '2: database.url: must be "sqlite:///FILE" or'),
        ('[database]\nurl = "sqlite://x.db"', '2: database.url: must be "sqlite:///FILE" or'),
        ('[database]\nurl = "postgresql://h:x/n"', '2: database.url: must be "sqlite:///FILE" or'),
        ('[database]\nurl = "sqlite:///"', "2: database.url: must name a file"),
        ('[database]\nurl = "sqlite:///:memory:"', "2: database.url: must name a file"),
        ('[sources.x]\nprovider = "bolnaa"', "2: sources.x.provider: must be one of bolna, vogent"),
        ('[sources.x]\napi_key = "a"', "1: sources.x.provider: must be one of bolna, vogent"),
        ('[sources.X]\nprovider = "bolna"\napi_key = "a"', "1: sources.X: is no valid name"),
        (SOURCE, "1: sources.x.api_key: is missing: one of api_key, api_key_env, api_key_file"),
        (f"{SOURCE}api_key = 7", "3: sources.x.api_key: api_key must be a text that is not empty"),
        (f"{SOURCE}api_key_env = ''", "3: sources.x.api_key: api_key_env must be a text that is"),
        (
            f"{SOURCE}labels = {{}}\napi_key_file = 'a'\napi_key_env = 'A'\napi_key = 'a'",
            "6: sources.x.api_key: give exactly one of api_key, api_key_env, api_key_file",
        ),
        (
            f"{SOURCE}api_key_env = 'sk-very-secret'",
            "3: sources.x.api_key: api_key_env must be the name of an environment variable",
        ),
        (
            f"{SOURCE}api_key = 'a'\n[sources.x.labels]\ntype = 'b'",
            "5: sources.x.labels.type: cannot be a label",
        ),
        (
            f"{SOURCE}api_key = 'a'\nlabels = {{ a = 1 }}",
            "4: sources.x.labels.a: must be a text in quotes",
        ),
        ("[receivers.x]\nkind = 'pager'", "2: receivers.x.kind: must be one of slack, webhook"),
        (f"{SOURCE}api_kee_env = 'A'", "3: sources.x.api_kee_env: is not a known key; did you "),
        (
            f"{OPS}[[routes]]\nreceiver = 'ops'\nmatchers = [\n 3]",
            "7: routes[0].matchers[0]: must be a text such as",
        ),
        ("[[routes]]", "1: routes[0].receiver: is missing"),
        ("[[routes]]\nrecevier = 'x'", "2: routes[0].recevier: is not a known key; did you mean"),
        ("batches = [1]", "1: batches: must be an array of tables: [[batches]]"),
        ("[[routes]]\nreceiver = 'x'", '2: routes[0].receiver: there is no receiver "x"; there'),
    ],
)
def test_each_mistake_says_what_is_wrong_and_what_is_allowed(
    write: Write, text: str, mistake: str
) -> None:
    assert mistake_in(write(text)).startswith(mistake)


HOURS = f"{SOURCE}api_key = 'a'\n[sources.x.hours]\n"
DAY = "[[sources.x.hours.days]]\n"
SLOT = "timeSlots = [{ startTime = '9:00', endTime = '18:00' }]\n"
UTC = "timezone = 'UTC'\n"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (f"{SOURCE}api_key = 'a'\nhours = '9-18'", "4: sources.x.hours: must be a table"),
        (f"{HOURS}{UTC}", "4: sources.x.hours.days: is missing"),
        (f"{HOURS}{DAY}dayOfWeek = 1\n{SLOT}", "4: sources.x.hours.timezone: is missing"),
        (f"{HOURS}{UTC}zone = 1\n{DAY}dayOfWeek = 1\n{SLOT}", "6: sources.x.hours.zone: is not a"),
        (
            f"{HOURS}{UTC}days = []",
            "6: sources.x.hours.days: must hold one at least, such as { day",
        ),
        (f"{HOURS}{UTC}days = {{}}", "6: sources.x.hours.days: must be an array of tables such as"),
        (
            f"{HOURS}{UTC}days = [1, 2, 3]",
            "6: sources.x.hours.days: must be an array of tables",
        ),
        (f"{HOURS}{UTC}{DAY}{SLOT}", "6: sources.x.hours.days[0].dayOfWeek: is missing"),
        (
            f"{HOURS}{UTC}{DAY}dayOfWeek = 7\n{SLOT}",
            "7: sources.x.hours.days[0].dayOfWeek: must be a day from 0 (Sunday) to 6 (Saturday)",
        ),
        (
            f"{HOURS}{UTC}{DAY}day_of_week = 1\n{SLOT}",
            "7: sources.x.hours.days[0].day_of_week: is not a known key; did you mean "
            '"dayOfWeek"? Allowed: dayOfWeek, timeSlots',
        ),
        (
            f"{HOURS}{UTC}{DAY}dayOfWeek = 1\ntimeSlots = '9-18'",
            "8: sources.x.hours.days[0].timeSlots: must be an array of tables such as { startTime",
        ),
        (
            f"{HOURS}{UTC}{DAY}dayOfWeek = 1\ntimeSlots = [\n"
            "{ startTime = '9:00', endTime = '25:00' }]",
            "9: sources.x.hours.days[0].timeSlots[0].endTime: must be a time of day from",
        ),
        (
            f"{HOURS}{UTC}{DAY}dayOfWeek = 1\n{SLOT.replace('startTime', 'start')}",
            "8: sources.x.hours.days[0].timeSlots[0].start: is not a known key; did you mean "
            '"startTime"? Allowed: startTime, endTime',
        ),
    ],
)
def test_each_mistake_of_calling_hours_has_its_key_and_line(
    write: Write, text: str, mistake: str
) -> None:
    assert mistake_in(write(text)).startswith(mistake)


def batches(*tables: str) -> str:
    return f"{SOURCE}api_key = 'a'\n" + "\n".join(f"[[batches]]\n{table}" for table in tables)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("source = 'x'", "4: batches[0].id: is missing"),
        ("source = 'x'\nid = 'a'\nnome = 'b'", "7: batches[0].nome: is not a known key; did you"),
        ("source = 'x'\nid = 3", "6: batches[0].id: must be a text in quotes"),
        ("source = 'x'\nid = '..'", '6: batches[0].id: a batch id cannot be "." or ".."'),
        (
            "source = 'x'\nid = 'https://a.b/batches/abc-1'",
            "6: batches[0].id: this is a URL, not a batch id: paste only 'abc-1'",
        ),
        ("source = 'x'\nid = 'a'\nname = ' '", "7: batches[0].name: must be printable, 1 to 256"),
        ("source = 'y'\nid = 'a'", '5: batches[0].source: there is no source "y"; there are: x'),
        (
            "source = 'x'\nid = 'a'\n[[batches]]\nsource = 'x'\nid = 'b'\n"
            "[[batches]]\nsource = 'x'\nid = 'a'",
            "12: batches[2].id: this batch of 'x' is declared already (line 6)",
        ),
        (
            f"source = 'x'\nid = '{BATCH}'\n[[batches]]\nsource = 'x'\nid = '{BATCH.hex.upper()}'",
            "9: batches[1].id: this batch of 'x' is declared already (line 6)",
        ),
    ],
)
def test_each_mistake_of_a_declared_batch_has_its_line(
    write: Write, text: str, mistake: str
) -> None:
    assert mistake_in(write(batches(text))).startswith(mistake)


def test_one_id_at_two_sources_is_two_batches(write: Write) -> None:
    other = "[sources.y]\nprovider = 'vogent'\napi_key = 'a'\n"
    config = load(write(other + batches("source = 'x'\nid = 'a'", "source = 'y'\nid = 'a'")))

    assert [batch.source for batch in config.batches] == ["x", "y"]


def test_mistakes_in_one_table_do_not_hide_each_other(write: Write) -> None:
    path = write(f"{SOURCE}api_key = 'a'\napi_key_env = 'A'\nrate_limit = 5\ncolour = 1")

    assert [mistake.split(": ")[1] for mistake in mistakes_in(path)] == [
        "sources.x.api_key",
        "sources.x.rate_limit",
        "sources.x.colour",
    ]


def test_no_mistake_shows_a_value_that_may_be_secret(write: Write) -> None:
    secret = "hunter2-hunter2"
    path = write(
        f"""
monitor = "{secret}"
[database]
url = "mysql://u:{secret}@h/n"
[sources.x]
provider = "bolna"
api_key_env = "{secret}"
api_kee = "{secret}"
base_url = "ftp://{secret}"
labels = "{secret}"
[receivers.a]
kind = "slack"
webhook_url = "{secret}"
[receivers.b]
kind = "webhook"
url = "{secret}"
secret = "{secret}"
headers = "{secret}"
[receivers.c]
kind = "webhook"
url = "https://example.com"
secret = ["{secret}"]
headers = {{ Host = "{secret}", X-A = ["{secret}"] }}
"""
    )

    assert len(mistakes_in(path)) >= 11
    assert secret not in "\n".join(mistakes_in(path))


def test_a_secret_never_shows_in_the_config(write: Write) -> None:
    config = load(
        write(f"{SOURCE}api_key = 'hunter2'\n[database]\nurl = 'postgresql://u:hunter2@h/n'")
    )

    assert "hunter2" not in repr(config)
    assert config.sources["x"].held_secrets() == [Secret(name="api_key", value="hunter2")]


@pytest.mark.parametrize(
    ("provider", "discover", "line"),
    [
        (
            "vogent",
            "{ evry = '5m' }",
            'sources.x.discover.evry: is not a known key; did you mean "every"? '
            "Allowed: max_age, statuses, every",
        ),
        (
            "bolna",
            "{ agents = ['a1'], status = ['x'] }",
            'sources.x.discover.status: is not a known key; did you mean "statuses"? '
            "Allowed: max_age, statuses, every, agents",
        ),
        ("vogent", "{ max_age = 7 }", "sources.x.discover.max_age: must be a duration such as"),
        ("vogent", "'all'", "sources.x.discover: must be true, false or a table such as"),
        ("bolna", "true", "sources.x.discover: must name agents: Bolna has no list of all"),
        ("bolna", "{ agents = 'x' }", 'sources.x.discover.agents: must be "all" or an array'),
        (
            "vogent",
            "{ statuses = 'ACTIVE' }",
            'sources.x.discover.statuses: must be an array of texts such as ["running"]',
        ),
        (
            "bolna",
            "{ agents = ['a/b'] }",
            "sources.x.discover.agents: this is a path, not an agent id: paste only 'b'",
        ),
    ],
)
def test_mistakes_of_discovery_are_named_with_their_key(
    write: Write, provider: str, discover: str, line: str
) -> None:
    path = write(f"[sources.x]\nprovider = '{provider}'\napi_key = 'k'\ndiscover = {discover}\n")

    (found,) = mistakes_in(path)

    assert found.startswith(f"4: {line}")


GENERIC = "[sources.x]\nprovider = 'generic'\nstatus = 's'\ncompleted = ['done']\n"
ACME = "https://api.acme.example"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("url", "'list'", "must be a URL"),
        ("url", "'https://elsewhere.example/'", f"must begin with {ACME}, as that of the source"),
        ("url", f"'{ACME}/list?v=3'", "'v' is in both url and query: give it once"),
        ("url", f"'{ACME}/{{id}}'", "must hold no braces"),
        ("next", "{ v = 'a' }", "'v' is in query already: give it once"),
        ("next", "'+1'", 'must be a table of one parameter, such as { after = "last_id" } or { p'),
        ("next", "{ after = 'a b' }", "is no JMESPath expression"),
        ("items", "'a b'", "is no JMESPath expression"),
    ],
)
def test_a_mistake_about_a_list_names_its_key_and_line(
    write: Write, key: str, value: str, said: str
) -> None:
    fields = {"url": f"'{ACME}/list'", "items": "'data'", "id": "'id'"} | {key: value}
    table = "".join(f"{name} = {written}\n" for name, written in fields.items())
    line = 8 + [*fields].index(key)

    found = mistake_in(
        write(
            f"{GENERIC}url = '{ACME}/{{id}}'\nquery = {{ v = '2' }}\n[sources.x.discover]\n{table}"
        )
    )

    assert found.startswith(f"{line}: sources.x.discover.{key}: {said}")


@pytest.mark.parametrize(
    ("key", "meant"),
    [("api_key", "bearer"), ("api_key_env", "bearer_env"), ("base_url", "url")],
)
def test_what_other_tables_call_otherwise_is_named_as_a_generic_one_calls_it(
    write: Write, key: str, meant: str
) -> None:
    url = "" if key == "base_url" else "url = 'https://a.example/{id}'\n"

    found = mistake_in(write(f"{GENERIC}{url}{key} = 'x'"))

    assert f'x.{key}: is not a known key; did you mean "{meant}"?' in found


def test_words_of_a_generic_table_given_as_a_text_are_asked_for_as_an_array(write: Write) -> None:
    found = mistake_in(write(f"{GENERIC}url = 'https://a.example/{{id}}'\nrunning = 'busy'"))

    assert found == '6: sources.x.running: must be an array of texts such as ["running"]'

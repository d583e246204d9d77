from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.config.load import load
from monitor.config.secrets import missing_secrets, require_secrets
from monitor.config.warnings import warnings_of
from monitor.core.errors import SecretMissingError

Write = Callable[[str], Path]

SECRETS = """
[database]
url_env = "NO_DATABASE_URL"
[sources.x]
provider = "bolna"
api_key_env = "NO_KEY"
[sources.y]
provider = "vogent"
api_key_file = "nowhere"
[receivers.ops]
kind = "webhook"
url = "https://example.com"
secret_env = "NO_SECRET"
headers = { "X-Token_env" = "NO_TOKEN", "X-Plain" = "plain" }
[sources.z]
provider = "generic"
url = "https://api.example.com/{id}"
status = "state"
completed = ["done"]
query = { key_env = "NO_PARAMETER" }
[[routes]]
receiver = "ops"
"""


def test_every_missing_secret_is_named_with_its_key_and_the_reason(
    write: Write, tmp_path: Path
) -> None:
    missing = [
        "database.url: the environment variable NO_DATABASE_URL is not set",
        "sources.x.api_key: the environment variable NO_KEY is not set",
        f"sources.y.api_key: the file {tmp_path}/nowhere cannot be read: No such file or directory",
        "sources.z.query.key: the environment variable NO_PARAMETER is not set",
        "receivers.ops.secret: the environment variable NO_SECRET is not set",
        "receivers.ops.headers.X-Token: the environment variable NO_TOKEN is not set",
    ]

    config = load(write(SECRETS))

    assert missing_secrets(config) == missing
    assert warnings_of(config) == missing


MALFORMED = """
[monitor]
heartbeat_url_env = "BEAT"
[sources.x]
provider = "bolna"
api_key_env = "KEY"
[receivers.ops]
kind = "slack"
webhook_url_env = "HOOK"
[receivers.crm]
kind = "webhook"
url = "https://example.com"
secret_file = "secret"
headers = { "X-Token_env" = "TOKEN" }
"""


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ("https//hooks.slack.com/marked", 'must be a URL such as "https://'),
        ("http://hooks.slack.com/marked", 'must start with "https://" ("http://" needs allow_http'),
    ],
)
def test_every_malformed_secret_is_named_by_the_rule_it_breaks_and_never_shown(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: str, reason: str
) -> None:
    values = {"BEAT": "marked", "KEY": "schlüssel-marked", "HOOK": hook, "TOKEN": "ü-marked"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "secret").write_text("marked")
    variable = "the value of the environment variable"

    config = load(write(MALFORMED))
    told = missing_secrets(config)

    for line, expected in zip(
        told,
        [
            f'monitor.heartbeat_url: {variable} BEAT must be a URL such as "https://',
            f"sources.x.api_key: {variable} KEY must be ASCII text",
            f"receivers.ops.webhook_url: {variable} HOOK {reason}",
            f"receivers.crm.secret: what the file {tmp_path}/secret holds must be "
            '"whsec_" and base64',
            f"receivers.crm.headers.X-Token: {variable} TOKEN must be ASCII text",
        ],
        strict=True,
    ):
        assert line.startswith(expected)
    assert "marked" not in "".join(told)
    with pytest.raises(SecretMissingError, match=r"receivers\.ops\.webhook_url"):
        require_secrets(config)


def test_http_is_fine_where_it_is_allowed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "http://slack.example/x")
    receiver = "[receivers.ops]\nkind = 'slack'\nwebhook_url_env = 'HOOK'\nallow_http = true\n"

    assert missing_secrets(load(write(receiver))) == []


def test_a_secret_that_is_there_is_not_missing(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_DATABASE_URL", "NO_KEY", "NO_TOKEN", "NO_PARAMETER"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("NO_SECRET", f"whsec_{'A' * 32}")
    (tmp_path / "nowhere").write_text("key\n", encoding="utf-8")

    assert missing_secrets(load(write(SECRETS))) == []


def warnings(folder: Path, text: str) -> list[str]:
    path = folder / "config.toml"
    path.write_text(f'{text}\n[[routes]]\nreceiver = "ops"\n')
    return [line for line in warnings_of(load(path)) if "api_key" in line or "webhook_url" in line]


@pytest.mark.parametrize("written", ["$BOLNA_API_KEY", "${BOLNA_API_KEY}"])
def test_a_variable_where_none_is_replaced_is_warned_of(tmp_path: Path, written: str) -> None:
    text = (
        f'[sources.x]\nprovider = "bolna"\napi_key = "{written}"\n'
        '[receivers.ops]\nkind = "slack"\nwebhook_url = "https://hooks.slack.com/services/T/B/x"'
    )

    assert warnings(tmp_path, text) == [
        "sources.x.api_key: begins with $, and is taken as it stands: for an environment variable,"
        ' write api_key_env = "NAME"'
    ]


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("https://hooks.slack.com/services/T/B/marked", False),
        ("https://hooks.slack-gov.com/services/T/B/marked", False),
        ("https://discord.com/api/webhooks/1/marked", True),
        ("https://hooks.slack.com.example.org/services/T/B/marked", True),
    ],
)
def test_a_slack_receiver_elsewhere_is_warned_of(tmp_path: Path, url: str, warned: bool) -> None:
    found = warnings(tmp_path, f'[receivers.ops]\nkind = "slack"\nwebhook_url = "{url}"')

    assert bool(found) is warned
    assert all("is not Slack (hooks.slack.com)" in line for line in found)
    assert not any("marked" in line for line in found)


def test_a_private_one_is_meant(tmp_path: Path) -> None:
    text = (
        '[receivers.ops]\nkind = "slack"\nwebhook_url = "https://chat.example.internal/hooks/x"\n'
        "allow_private = true"
    )

    assert warnings(tmp_path, text) == []

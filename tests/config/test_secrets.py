"""A secret that may not be what was meant is warned of, and never shown."""

from pathlib import Path

import pytest

from monitor.config.load import load
from monitor.config.warnings import warnings_of


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

import base64
import re
import stat
from pathlib import Path

import pytest

from monitor.config.load import load
from monitor.config.schema import Config
from monitor.config.starter import PROVIDERS, recipes, starter_of, variables_in, write_starter
from monitor.config.warnings import warnings_of
from monitor.core.errors import ConfigError


@pytest.fixture
def starter(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    write_starter(path)
    return path


def test_the_starter_is_readable_by_its_owner_alone(starter: Path) -> None:
    assert stat.S_IMODE(starter.stat().st_mode) == 0o600


def test_the_starter_needs_two_variables_and_nothing_else(
    starter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert warnings_of(load(starter)) == [
        "sources.bolna-prod.api_key: the environment variable BOLNA_API_KEY is not set",
        "receivers.ops.webhook_url: the environment variable SLACK_WEBHOOK_URL is not set",
    ]

    monkeypatch.setenv("BOLNA_API_KEY", "k")
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/x")

    assert warnings_of(load(starter)) == []


def test_everything_commented_out_works_as_soon_as_it_is_not(starter: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.toml"
    text = starter.read_text(encoding="utf-8")
    whole.write_text(re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", text), encoding="utf-8")

    config = load(whole)

    assert list(config.sources) == ["bolna-prod", "vogent"]
    assert len(config.batches) == 1
    assert [route.receiver for route in config.routes] == ["ops", "ops", "crm"]
    (secret,) = config.receivers["crm"].held_secrets()
    assert len(base64.b64decode(secret.read().removeprefix("whsec_"), validate=True)) == 32


def test_every_starter_has_a_secret_of_its_own(starter: Path, tmp_path: Path) -> None:
    write_starter(tmp_path / "other.toml")

    assert starter.read_bytes() != (tmp_path / "other.toml").read_bytes()


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("mine", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"config\.toml: exists already"):
        write_starter(path)

    assert path.read_text(encoding="utf-8") == "mine"


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    link = tmp_path / "config.toml"
    link.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="exists already"):
        write_starter(link)

    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no/config\.toml: cannot be written: No such file"):
        write_starter(tmp_path / "no" / "config.toml")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_file_that_could_not_be_filled_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.toml"
    full = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 (the starter closes it)
    monkeypatch.setattr("os.fdopen", lambda *_args, **_options: full)

    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        write_starter(path)

    assert not path.exists()


@pytest.fixture
def every_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set all that any starter asks for."""
    texts = [starter_of(name, discover=False, receivers=RECEIVERS) for name in NAMES]
    for name in {name for text in texts for name in variables_in(text)}:
        monkeypatch.setenv(name, "https://hooks.slack.com/services/x" if "URL" in name else "k")


RECEIVERS = ("slack", "webhook")
NAMES = (*PROVIDERS, *recipes())
LISTED = [name for name in NAMES if name not in ("sinch", "vapi-v1")]


def loaded(text: str, tmp_path: Path) -> Config:
    path = tmp_path / "of.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


@pytest.mark.usefixtures("every_secret")
@pytest.mark.parametrize("provider", NAMES)
def test_just_what_is_asked_for_is_written_and_passes(provider: str, tmp_path: Path) -> None:
    text = starter_of(provider, discover=False, receivers=RECEIVERS)
    config = loaded(text, tmp_path)

    assert len(config.sources) == 1
    assert [source.discover for source in config.sources.values()] == [None]
    assert list(config.receivers) == [route.receiver for route in config.routes] == ["ops", "crm"]
    assert not [said for said in warnings_of(config, deliberate=False) if "URL" not in said]
    assert ("discover" in text) is (provider in LISTED)


@pytest.mark.parametrize("provider", LISTED)
def test_discovery_is_there_when_it_is_asked_for(provider: str, tmp_path: Path) -> None:
    config = loaded(starter_of(provider, discover=True, receivers=()), tmp_path)

    (source,) = config.sources.values()
    assert source.discover is not None
    assert not config.receivers


@pytest.mark.parametrize("provider", LISTED)
def test_what_is_commented_out_of_discovery_works_as_soon_as_it_is_not(
    provider: str, tmp_path: Path
) -> None:
    text = starter_of(provider, discover=False, receivers=())
    parts = re.split(r"(?m)^(?=# (?:discover = |\[sources\.))", text)

    config = loaded(
        "".join([parts[0], *(re.sub("(?m)^# ", "", part) for part in parts[1:])]), tmp_path
    )

    (source,) = config.sources.values()
    assert source.discover is not None


def test_a_provider_that_there_is_not_is_named_with_those_there_are() -> None:
    with pytest.raises(
        ValueError, match="'bolnaa' is not one of bolna, vogent, generic, anthropic"
    ):
        starter_of("bolnaa", discover=False, receivers=())


def test_discovery_without_a_list_is_refused() -> None:
    with pytest.raises(ValueError, match="sinch has no list to discover batches from"):
        starter_of("sinch", discover=True, receivers=())


def test_receivers_alone_name_their_variables() -> None:
    text = starter_of(None, discover=False, receivers=["slack"])

    assert variables_in(text) == ["SLACK_WEBHOOK_URL"]
    assert "[sources" not in text


def test_the_secret_of_a_webhook_is_fresh_each_time() -> None:
    one, other = (starter_of(None, discover=False, receivers=["webhook"]) for _ in range(2))

    assert one != other
    assert "whsec_" in one

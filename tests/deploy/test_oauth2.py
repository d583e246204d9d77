"""`docs/oauth2.md` and its files: a token is fetched from a real server, or the old one stays."""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import pytest

from monitor.config.load import load
from monitor.providers import GenericSettings
from tests import patient
from tests.deploy.test_unit import UNIT, settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "oauth2"
SCRIPT = FOLDER / "fetch_token.py"
SERVICE, TIMER = (FOLDER / f"monitor-token@.{kind}" for kind in ("service", "timer"))
PAGE = (ROOT / "docs" / "oauth2.md").read_text(encoding="utf-8")

CLIENT, SECRET, TOKEN = "batch-monitor", "pass word/+%:s3cret", "eyJ0.new-token_1~+/=="
GOOD = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}


@dataclass
class TokenServer:
    """Give one answer to whoever asks, and keep what was asked."""

    status: int = 200
    body: bytes = json.dumps(GOOD).encode()
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    """Method and path, headers in small letters, form."""
    url: str = ""

    def says(self, **fields: Any) -> None:
        self.body = json.dumps(fields).encode()


@pytest.fixture
def server() -> Iterator[TokenServer]:
    answer = TokenServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            headers = {name.lower(): text for name, text in self.headers.items()}
            answer.asked.append(
                (f"POST {self.path}", headers, dict(parse_qsl(form, keep_blank_values=True)))
            )
            self.send_response(answer.status)
            for name, text in answer.headers.items():
                self.send_header(name, text)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        answer.url = f"http://127.0.0.1:{http.server_port}/oauth/token"
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield answer
        http.shutdown()
        thread.join()


@dataclass
class Host:
    """A machine on which the script is run as the unit runs it."""

    credentials: Path
    run_folder: Path
    environment: dict[str, str]

    @property
    def file(self) -> Path:
        return self.run_folder / "acme"

    def fetch(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it; whatever comes of it, it says neither secret nor token, and leaves no rest."""
        done = subprocess.run(  # noqa: S603 (ours)
            [sys.executable, "-I", SCRIPT, self.file],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=patient.HANG,
            check=False,
            umask=0o077,
        )
        for hidden in (SECRET, TOKEN, "s3cret", "new-token"):
            assert hidden not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert not self.run_folder.exists() or {*self.run_folder.iterdir()} <= {self.file}
        return done


@pytest.fixture
def host(tmp_path: Path, server: TokenServer) -> Host:
    made = Host(
        tmp_path / "credentials",
        tmp_path / "run",
        {
            "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials"),
            "TOKEN_URL": server.url,
            "CLIENT_ID": CLIENT,
            "PATH": os.defpath,
        },
    )
    made.credentials.mkdir()
    made.run_folder.mkdir()
    (made.credentials / "client-secret").write_text(f"{SECRET}\n")
    return made


def test_a_token_is_fetched_by_the_clients_id_and_secret(host: Host, server: TokenServer) -> None:
    done = host.fetch(FORM="scope=a+b&audience=https%3A%2F%2Fapi.acme.example")

    assert (done.returncode, done.stdout, done.stderr) == (0, "a new token, good for 3600 s\n", "")
    assert host.file.read_text() == f"{TOKEN}\n"
    ((what, headers, form),) = server.asked
    assert what == "POST /oauth/token"
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    pair = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
    assert pair == "batch-monitor:pass+word%2F%2B%25%3As3cret"  # RFC 6749, section 2.3.1
    assert form == {
        "grant_type": "client_credentials",
        "scope": "a b",
        "audience": "https://api.acme.example",
    }


def test_a_field_of_the_form_may_be_empty(host: Host, server: TokenServer) -> None:
    assert host.fetch(FORM="scope=&audience=a").returncode == 0

    ((_, _, form),) = server.asked
    assert (form["scope"], form["audience"]) == ("", "a")


def test_no_proxy_gets_the_secret(host: Host, server: TokenServer) -> None:
    proxy = "http://127.0.0.1:1"

    done = host.fetch(http_proxy=proxy, HTTP_PROXY=proxy, https_proxy=proxy, ALL_PROXY=proxy)

    assert done.returncode == 0
    assert len(server.asked) == 1


def test_the_secret_may_go_into_the_form(host: Host, server: TokenServer) -> None:
    assert host.fetch(CLIENT_AUTH="form").returncode == 0

    ((_, headers, form),) = server.asked
    assert "authorization" not in headers
    assert (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)


def test_a_new_token_takes_the_place_of_the_old_one_in_one_step(host: Host) -> None:
    host.file.write_text("old\n")
    host.file.chmod(0o600)

    with host.file.open() as reader:
        assert host.fetch().returncode == 0
        assert reader.read() == "old\n"  # another file has its name now

    assert host.file.read_text() == f"{TOKEN}\n"
    assert host.file.stat().st_mode & 0o777 == 0o640
    assert host.file.stat().st_gid == host.run_folder.stat().st_gid


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "the answer holds no access_token that can go into a header"),
        ({"access_token": ""}, "the answer holds no access_token that can go into a header"),
        ({"access_token": None}, "the answer holds no access_token that can go into a header"),
        ({"access_token": "s3cret\nx"}, "the answer holds no access_token that can go into a h"),
        ({"access_token": "s3cret x"}, "the answer holds no access_token that can go into a h"),
        ({"access_token": TOKEN, "token_type": "mac"}, "the answer's token_type is not Bearer"),
    ],
)
def test_an_answer_without_a_token_leaves_the_old_one(
    host: Host, server: TokenServer, fields: dict[str, Any], said: str
) -> None:
    host.file.write_text("old\n")
    server.says(**fields)

    done = host.fetch()

    assert (done.returncode, host.file.read_text()) == (1, "old\n")
    assert done.stderr.startswith(said)


def refuses(server: TokenServer) -> None:
    server.status = 401
    server.says(error="invalid_client", error_description=f"{SECRET} is wrong")


def refuses_in_its_own_words(server: TokenServer) -> None:
    server.status = 400
    server.says(error=SECRET)


def redirects(server: TokenServer) -> None:
    server.status, server.headers = 307, {"location": server.url}


def redirects_to_nowhere(server: TokenServer) -> None:
    server.status, server.headers = 302, {"location": "http://[s3cret"}


def shows_a_page(server: TokenServer) -> None:
    server.body = f"<html>{SECRET}</html>".encode()


def shows_an_array(server: TokenServer) -> None:
    server.body = b"[1]"


def nests(server: TokenServer) -> None:
    server.body = b"[" * 60_000


def goes_on_and_on(server: TokenServer) -> None:
    server.body = json.dumps(GOOD).encode() + b" " * 70_000


def breaks_off(server: TokenServer) -> None:
    server.body = server.body[:-1]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (refuses, "refuses a token: 401, invalid_client\n"),
        (refuses_in_its_own_words, "refuses a token: 400\n"),
        (redirects, "refuses a token: 307\n"),
        (redirects_to_nowhere, "refuses a token: 302\n"),
        (shows_a_page, "the answer is no JSON object: is TOKEN_URL right?\n"),
        (shows_an_array, "the answer is no JSON object: is TOKEN_URL right?\n"),
        (nests, "the answer is no JSON object: is TOKEN_URL right?\n"),
        (goes_on_and_on, "the answer is no JSON object: is TOKEN_URL right?\n"),
        (breaks_off, "the answer is no JSON object: is TOKEN_URL right?\n"),
    ],
)
def test_a_bad_answer_leaves_the_old_token(
    host: Host, server: TokenServer, how: Callable[[TokenServer], None], said: str
) -> None:
    host.file.write_text("old\n")
    how(server)

    done = host.fetch()

    assert (done.returncode, host.file.read_text()) == (1, "old\n")
    assert done.stderr.endswith(said)
    assert len(server.asked) == 1


def test_a_server_that_is_away_leaves_the_old_token(host: Host) -> None:
    host.file.write_text("old\n")

    done = host.fetch(TOKEN_URL="http://127.0.0.1:1/token")

    assert (done.returncode, host.file.read_text()) == (1, "old\n")
    assert done.stderr.startswith("127.0.0.1:1 does not answer: ")
    assert done.stderr.endswith("Connection refused\n")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TOKEN_URL": ""}, "TOKEN_URL is not set"),
        ({"CLIENT_ID": ""}, "CLIENT_ID is not set"),
        ({"CREDENTIALS_DIRECTORY": ""}, "CREDENTIALS_DIRECTORY is not set"),
        ({"CREDENTIALS_DIRECTORY": "/no"}, "/no/client-secret cannot be read: No such file"),
        ({"CLIENT_AUTH": "digest"}, 'CLIENT_AUTH must be "basic" or "form"'),
        ({"TOKEN_URL": "http://acme.example/"}, "TOKEN_URL must be a URL that starts with https"),
        ({"TOKEN_URL": "https://a:s3cret@b/"}, "TOKEN_URL must be a URL that starts with https"),
        ({"TOKEN_URL": "https://[a/"}, "TOKEN_URL must be a URL that starts with https://"),
        ({"TOKEN_URL": "https://a..example/"}, "TOKEN_URL must be a URL that starts with https"),
        ({"TOKEN_URL": f"https://{'a' * 64}.example/"}, "TOKEN_URL must be a URL that starts"),
        ({"TOKEN_URL": "https:///token"}, "TOKEN_URL must be a URL that starts with https://"),
        ({"TOKEN_URL": "https://a:port/"}, "TOKEN_URL must be a URL that starts with https://"),
        ({"TOKEN_URL": "https://a.example/a b"}, "TOKEN_URL must be a URL that starts with"),
    ],
)
def test_what_is_set_up_wrong_is_named_and_nobody_asked(
    host: Host, server: TokenServer, environment: dict[str, str], said: str
) -> None:
    done = host.fetch(**environment)

    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert server.asked == []


def test_a_folder_that_is_not_there_is_named(host: Host) -> None:
    host.run_folder.rmdir()

    done = host.fetch()

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{host.file} cannot be written: No such file or directory\n"


def test_a_token_that_finds_no_place_leaves_nothing_behind(host: Host) -> None:
    host.file.mkdir()

    done = host.fetch()

    assert done.stderr == f"{host.file} cannot be written: Is a directory\n"
    assert [*host.run_folder.iterdir()] == [host.file]


def test_a_secret_that_is_empty_is_none(host: Host, server: TokenServer) -> None:
    (host.credentials / "client-secret").write_text("\n")

    assert host.fetch().stderr == f"{host.credentials}/client-secret is empty\n"
    assert server.asked == []


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return re.sub("^# ", "", found[1], flags=re.MULTILINE)


def test_the_table_of_the_page_reads_the_file_that_the_service_writes(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(block("toml"))
    source = load(tmp_path / "config.toml").sources["acme"]
    unit = settings(SERVICE.read_text())

    assert isinstance(source, GenericSettings)
    assert source.bearer is not None
    assert source.bearer.file == f"/run/{unit['RuntimeDirectory']}/acme"
    assert unit["ExecStart"].endswith(" ${RUNTIME_DIRECTORY}/%i")
    assert unit["User"] == settings(UNIT.read_text())["User"]
    assert unit["RuntimeDirectory"] != settings(UNIT.read_text())["StateDirectory"]


def test_the_page_installs_what_the_service_starts_and_makes_what_it_reads() -> None:
    typed, unit = block("console"), settings(SERVICE.read_text())
    files = re.findall(r"deploy/oauth2/\S+", typed)

    assert {ROOT / file for file in files} == {*FOLDER.iterdir()} == {SCRIPT, SERVICE, TIMER}
    assert f" {unit['ExecStart'].split()[2]}\n" in typed
    credential, _, secret = unit["LoadCredential"].partition(":")
    assert credential == "client-secret"
    assert f"cat > {secret.replace('%i', 'acme')})" in typed
    assert f"cat > {unit['EnvironmentFile'].replace('%i', 'acme')} <<END" in typed
    assert f"enable --now {TIMER.name.replace('@', '@acme')}" in typed
    assert f"[Unit]\nWants={SERVICE.name.replace('@', '@acme')}\nAfter=" in typed


def test_the_variables_of_the_page_fetch_a_token(host: Host, server: TokenServer) -> None:
    (written,) = re.findall(
        r"acme\.env <<END\n(.*?)^END$", block("console"), re.DOTALL | re.MULTILINE
    )
    variables = dict(line.split("=", 1) for line in written.splitlines())

    assert host.fetch(**variables | {"TOKEN_URL": server.url}).returncode == 0
    assert server.asked[0][2]["scope"] == "campaigns.read"


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) <= 60

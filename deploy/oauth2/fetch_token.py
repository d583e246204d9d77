"""Fetch an OAuth2 access token by client credentials into a file: `fetch_token.py FILE`.

It is asked for as RFC 6749, section 4.4 says. Variables: TOKEN_URL; CLIENT_ID; FORM, what else the
server wants (`scope=…&audience=…`, percent-encoded); CLIENT_AUTH, `basic` or `form`: where the
secret goes. The secret is the file `client-secret` in CREDENTIALS_DIRECTORY. Whatever goes wrong,
the old token stays and the exit code is 1; neither secret nor token is ever shown.
"""

import base64
import http.client
import json
import os
import re
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

SECONDS: Final = 20
"""How long the server may say nothing."""
LONGEST_ANSWER: Final = 64 * 1024
LOCAL: Final = {"127.0.0.1", "localhost", "::1"}
TOKEN: Final = re.compile(r"[\x21-\x7e]+")  # RFC 6749, A.12, of what a header carries
ERRORS: Final = {  # RFC 6749, section 5.2; any other text might hold anything
    *("invalid_request", "invalid_client", "invalid_grant"),
    *("unauthorized_client", "unsupported_grant_type", "invalid_scope"),
}


def main() -> None:
    """Fetch, check, write; exit 1 with what was wrong."""
    if len(sys.argv) != 2:
        sys.exit("usage: fetch_token.py FILE")
    token, lifetime = read_token(ask(make_request()))
    try:
        write(Path(sys.argv[1]), token)
    except OSError as error:
        sys.exit(f"{sys.argv[1]} cannot be written: {error.strerror}")
    print(f"a new token, {lifetime}")  # noqa: T201 (for the journal)


def make_request() -> urllib.request.Request:
    """Make the request of the variables and the secret."""
    url, client, secret = check_url(variable("TOKEN_URL")), variable("CLIENT_ID"), read_secret()
    form = [("grant_type", "client_credentials"), *read_form()]
    headers = {"Accept": "application/json"}
    match os.environ.get("CLIENT_AUTH", "basic"):
        case "basic":
            pair = f"{quote_plus(client)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        case "form":
            form += [("client_id", client), ("client_secret", secret)]
        case _:
            sys.exit('CLIENT_AUTH must be "basic" or "form"')
    return urllib.request.Request(url, urlencode(form).encode(), headers)  # noqa: S310 (checked)


def read_form() -> list[tuple[str, str]]:
    """Return what else the server wants, also what it wants empty."""
    return parse_qsl(os.environ.get("FORM", ""), keep_blank_values=True)


def variable(name: str) -> str:
    """Return a variable that must be set."""
    return os.environ.get(name, "").strip() or sys.exit(f"{name} is not set")


def check_url(url: str) -> str:
    """Return a URL that is fit to carry a secret."""
    if not is_fit(url):
        sys.exit("TOKEN_URL must be a URL that starts with https://, without a user")
    return url


def is_fit(url: str) -> bool:
    """Return whether a URL is whole, and leads the secret over TLS or to this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")  # as who looks it up does: `a..b` is no name, nor what is too long
    except ValueError:
        return False
    written = url.isascii() and url.isprintable() and not {*url} & {*"@ "}
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in LOCAL)
    return written and safe and host != "" and port != 0


def read_secret() -> str:
    """Return the client's secret, which is one line."""
    file = Path(variable("CREDENTIALS_DIRECTORY"), "client-secret")
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{file} cannot be read: {getattr(error, 'strerror', 'it is not UTF-8')}")
    return secret or sys.exit(f"{file} is empty")


def ask(request: urllib.request.Request) -> bytes:
    """Return the answer to a request."""
    try:
        with open_url(request) as answer:
            return bytes(answer.read(LONGEST_ANSWER + 1))
    except urllib.error.HTTPError as error:
        sys.exit(f"{request.host} refuses a token: {error.code}{reason_of(error)}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = getattr(error, "reason", None) or type(error).__name__
        sys.exit(f"{request.host} does not answer: {why}")


def open_url(request: urllib.request.Request) -> http.client.HTTPResponse:
    """Send a request, by no proxy; a redirect is not followed: the secret would go along."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPDefaultErrorHandler,
    ):
        opener.add_handler(handler())
    return opener.open(request, timeout=SECONDS)


def reason_of(error: urllib.error.HTTPError) -> str:
    """Return why a request was refused, if it is a word that the RFC knows."""
    try:
        word = json.loads(error.read(LONGEST_ANSWER))["error"]
    except (OSError, http.client.HTTPException, ValueError, RecursionError, LookupError, TypeError):
        return ""
    return f", {word}" if isinstance(word, str) and word in ERRORS else ""


def read_token(answer: bytes) -> tuple[str, str]:
    """Return the token that an answer holds, and for how long it is one."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        found = None
    if len(answer) > LONGEST_ANSWER or not isinstance(found, dict):
        sys.exit("the answer is no JSON object: is TOKEN_URL right?")
    token, kind = found.get("access_token"), str(found.get("token_type", "bearer"))
    if not isinstance(token, str) or not TOKEN.fullmatch(token):
        sys.exit("the answer holds no access_token that can go into a header")
    if kind.lower() != "bearer":
        sys.exit("the answer's token_type is not Bearer")
    seconds = found.get("expires_in")
    lifetime = f"good for {seconds} s" if type(seconds) is int else "nobody says for how long"
    return token, lifetime


def write(file: Path, token: str) -> None:
    """Put a token in a file's place: whoever reads it sees the old one or the new one, whole."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with open(descriptor, "w", encoding="ascii") as new:  # noqa: PTH123 (a descriptor)
            os.fchmod(descriptor, 0o640)
            new.write(f"{token}\n")
        Path(name).rename(file)
    finally:
        Path(name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()

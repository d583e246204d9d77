"""A remedy: what is wrong with a poll or an account, and what to do about it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from monitor.core.batch import Failures
from monitor.core.errors import NetworkKind
from monitor.core.failure import FailureKind
from monitor.facts.sentence import Sentence, Tone
from monitor.facts.times import write_short_time
from monitor.storage.sources import SourceRow

_KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "generic": {
        "url": "url",
        "key": "bearer, headers, query or password",
        "too_large": "raise answer_limit, up to 16MiB, if that is what it exceeds; ask its API for"
        " less at a time; simplify the expressions",
    },
}
"""By provider: the keys of its sources' tables that a remedy may name."""
_USUAL_KEYS: Final[Mapping[str, str]] = {
    "url": "base_url",
    "key": "api_key",
    "too_large": "the answer is no batch: check base_url",
}

REMEDIES: Final[Mapping[FailureKind, str]] = {
    FailureKind.ADDRESS: (
        "{url} leads to an address that is not public; allow_private = true opens private ones"
    ),
    FailureKind.DNS: "the host of {url} has no address: check its spelling and the network",
    FailureKind.CONNECT: "nobody listens there: check {url}, and the firewall",
    FailureKind.TLS: "its certificate is not trusted: check {url}, or name its CA by ca_file",
    FailureKind.TLS_EXPIRED: (
        "its certificate has expired, or is not valid yet: whoever runs it renews it; check the"
        " clock of this machine too"
    ),
    FailureKind.TLS_WRONG_NAME: (
        "its certificate is for another host, or it knows none of this name: check the host of"
        " {url}"
    ),
    FailureKind.TLS_OLD_PROTOCOL: (
        "it speaks only TLS 1.1 or older, which is not safe: whoever runs it upgrades it"
    ),
    FailureKind.TLS_PLAIN_HTTP: (
        "what answers there does not speak TLS: check the port of {url}, or whether it is to be"
        " http:// (with allow_http = true)"
    ),
    FailureKind.TLS_CLIENT_CERTIFICATE: (
        "it wants a client certificate, which the monitor cannot show: ask for an address without"
    ),
    FailureKind.TLS_HANDSHAKE: (
        "the TLS handshake fails: check {url}; perhaps it wants a client certificate, which the"
        " monitor cannot show, or shares no cipher with this machine"
    ),
    FailureKind.DISCONNECTED: "the connection broke off: try again",
    FailureKind.TIMEOUT: "no whole answer within [polling] deadline: try again, or raise it",
    FailureKind.PROTOCOL: "what answers there does not speak HTTP: check {url}",
    FailureKind.TOO_LARGE: "{too_large}",
    FailureKind.ENCODING: (
        "the answer is packed in a way that nobody asked for, or its letters are in no charset that"
        " it names: check {url}, and what stands in between"
    ),
    FailureKind.DESCRIPTORS: (
        "no more files can be opened: raise LimitNOFILE= (`ulimit -n`), or fs.file-max where the"
        " whole machine is out of them"
    ),
    FailureKind.ROOM: (
        "this machine has no room or no time for so many large answers: it is polled again by"
        " itself; if it goes on, lower [polling] concurrency"
    ),
    FailureKind.UNAUTHORIZED: "the key is refused: check {key} and its account",
    FailureKind.FORBIDDEN: "the key is refused, or may not read this batch: check {key}",
    FailureKind.NOT_FOUND: "wrong id, key or account?",
    FailureKind.REFUSED: "the provider does not take this for an id of its own",
    FailureKind.RATE_LIMITED: "too many requests: wait, and lower rate_limit if it goes on",
    FailureKind.SERVER_ERROR: "the provider itself fails: try again later",
    FailureKind.REDIRECT: "{url} leads elsewhere: give the API's own address",
    FailureKind.UNEXPECTED_STATUS: "no answer of this API: check {url}",
    FailureKind.INVALID_BODY: (
        "the answer is no document of this batch, or one that makes no sense: check {url} and id"
    ),
    FailureKind.EXPRESSION: (
        "an expression does not fit the answer: `monitor poll SOURCE ID --raw` shows both"
    ),
    FailureKind.KEY_MISSING: "the key cannot be read now: `monitor check-config` says why",
}

_ON_THE_WAY: Final = (
    *(NetworkKind.ADDRESS, NetworkKind.DNS, NetworkKind.CONNECT),
    *(kind for kind in NetworkKind if kind.startswith("tls")),
)
"""What fails on the way to a receiver fails as it does on the way to a provider."""
URL_KEYS: Final = {"slack": "webhook_url", "webhook": "url"}
"""By the kind of a receiver."""
RECEIVER_REMEDIES: Final[Mapping[object, str]] = {
    **dict.fromkeys(
        (301, 302, 303, 307, 308),
        "it leads elsewhere, where no event is sent: give its own address in {url}",
    ),
    400: "it does not take this body: what it answered says why",
    401: "it does not believe who sends: has it another secret, or does it want a header?",
    403: "it does not let this in: has it another secret, or does it want a header?",
    404: "nothing is there: check the path of its {url}",
    405: "it takes no POST there: check the path of its {url}",
    410: "it says that it is gone for good: give another {url}, or take the receiver out",
    413: "the body is too large for it: let it take 64 KiB",
    429: "it takes no more just now: events wait as long as it asks for",
    "5xx": "it fails itself: look at its own log; events wait, and are sent once it is well",
    **{kind.value: REMEDIES[FailureKind(kind)] for kind in _ON_THE_WAY},
    "timeout": "no answer in time: let it answer first and work later",
    "not_ok": "what answers there is not Slack: check its {url}, and what stands in between",
    **dict.fromkeys(
        ("invalid_token", "no_active_hooks", "no_service", "no_service_id", "no_team"),
        "Slack has no such webhook any more: make a new one, and put it into its {url}",
    ),
    **dict.fromkeys(
        ("channel_not_found", "user_not_found"),
        "the webhook's channel is gone: make a new webhook, and put it into its {url}",
    ),
    "channel_is_archived": "the webhook's channel is archived: bring it back, or make another",
    **dict.fromkeys(
        ("action_prohibited", "posting_to_general_channel_denied"),
        "the workspace lets no app post there: ask its admin, or choose another channel",
    ),
    "team_disabled": "the workspace is switched off: ask its owner",
    **dict.fromkeys(
        ("rate_limited", "rollup_error"),
        "Slack takes no more just now: events wait, and are sent once it does",
    ),
    **dict.fromkeys(
        (
            *("invalid_attachments", "invalid_blocks", "invalid_blocks_format", "invalid_payload"),
            *("missing_text_or_fallback_or_attachments", "msg_blocks_too_long", "msg_too_long"),
            *("no_text", "too_many_attachments"),
        ),
        "Slack takes neither the message nor its text alone: report it",
    ),
    "secret_malformed": "its secret has the wrong form: config.example.toml shows the right one",
}


def remedy(kind: FailureKind, *, provider: str) -> str:
    """Write what to do about a failed poll, by the keys that the provider's table has."""
    return REMEDIES[kind].format_map(_KEYS.get(provider, _USUAL_KEYS))


def receiver_remedy(failure: object, *, kind: str) -> str:
    """Write what to do about a receiver, by the name or status of its failure; empty if unknown."""
    if isinstance(failure, int) and failure >= 500:
        failure = "5xx"
    return RECEIVER_REMEDIES.get(failure, "").format(url=URL_KEYS[kind])


def describe(kind: FailureKind, status_code: int | None) -> str:
    """Name a failure in short: `404`, `timeout`."""
    return kind.value.replace("_", " ") if status_code in (None, 200) else str(status_code)


def describe_failures(failures: Failures, *, provider: str, read_before: bool) -> str:
    """Write why a batch's polls fail, and mostly what to do; empty when they do not."""
    brief = name_failures(failures, read_before=read_before)
    # what passes by itself needs no remedy
    if failures.kind is None or (read_before and failures.kind is not FailureKind.TOO_LARGE):
        return brief
    return f"{brief}, {remedy(failures.kind, provider=provider)}"


def name_failures(failures: Failures, *, read_before: bool) -> str:
    """Write in short why a batch's polls fail; empty when they do not."""
    if failures.kind is None:
        return ""
    name = describe(failures.kind, failures.status_code)
    if failures.reason is not None:
        name += f" ({failures.reason})"
    return name if read_before else f"never read: {name}"


def write_failing(source: SourceRow) -> str:
    """Write since when an account fails, why, and what to do; empty when it does not."""
    health = source.health
    if health.failing_since is None or health.kind is None:
        return ""
    why = describe(health.kind, health.status_code)
    since = write_short_time(health.failing_since)
    return f"failing since {since}: {why}, {remedy(health.kind, provider=source.provider)}"


def describe_account(source: SourceRow, *, now: datetime) -> list[Sentence]:
    """Write what is wrong with an account: it fails, or a 429 pauses it; empty for nothing."""
    if failing := write_failing(source):
        return [Sentence(f"{source.name} is {failing}", Tone.BAD)]
    paused_until = source.blocked_until
    if paused_until is None or paused_until <= now:
        return []
    until = write_short_time(paused_until)
    paused = f"{source.name} is paused until {until}: too many requests (429)"
    return [Sentence(paused, Tone.DOUBTFUL)]

"""A provider's answer as it came, and what expressions find in it."""

import json
import sys
from contextlib import suppress
from itertools import accumulate
from typing import Final

import typer
from rich.text import Text

from monitor.cli.generic_hints import findings_in
from monitor.cli.options import Output
from monitor.engine.ports import Provider
from monitor.net.answer import Answer
from monitor.net.redact import printable, redact, tellable
from monitor.providers import SourceSettings
from monitor.providers.finding import Finding
from monitor.providers.generic import Generic
from monitor.screen.console import put, safe
from monitor.screen.page import show_facts, show_heading

ERROR_LIMIT: Final = 4 * 1024
"""In bytes: what is shown of an answer that is no document."""
RESULT_LIMIT: Final = 200
"""In characters."""


def show_raw(answer: Answer, provider: Provider, settings: SourceSettings, *, output: str) -> None:
    """Show an answer, and what a generic source's expressions make of it; JSON: the answer alone.

    It may hold phone numbers: it is for the screen of whoever asks for it. Keys never show.
    """
    secrets = _secrets_of(settings)
    text = redact(answer.body.decode(errors="replace"), secrets)
    if output == Output.JSON:
        typer.echo(_pretty(text, secrets) if sys.stdout.isatty() else text)
        return
    put(Text(f"the answer: {answer.status_code}, {len(answer.body):,} bytes", style="bold"))
    typer.echo(_pretty(text if answer.status_code == 200 else text[:ERROR_LIMIT], secrets))
    well = answer.status_code == 200
    findings = findings_in(provider, answer.body) if well and isinstance(provider, Generic) else []
    if findings:
        show_heading("its expressions find")
        show_facts((finding.key, _write(finding, secrets)) for finding in findings)
    typer.echo()


def _secrets_of(settings: SourceSettings) -> list[str]:
    """Return what must not show: the secrets, and the headers as they carry them."""
    held = (secret.read() for secret in settings.held_secrets())
    return tellable((*held, *settings.read_auth().headers.values()))


def _pretty(text: str, secrets: list[str]) -> str:
    """Lay JSON out over lines, leave anything else as it is; without control characters.

    What was escaped is found only now: it is redacted once more.
    """
    with suppress(ValueError, RecursionError):
        text = redact(json.dumps(json.loads(text), indent=2, ensure_ascii=False), secrets)
    return "\n".join(map(printable, text.split("\n")))


def _write(finding: Finding, secrets: list[str]) -> Text:
    """Write expression, value, and below them why it does not fit."""
    written = safe(finding.expression, "dim") + Text(" → ", style="dim")
    if finding.problem is not None and finding.value is None:
        return written + safe(finding.problem, "red")
    written += _write_value(finding.value, secrets)
    for text, style in ((finding.problem, "red"), (finding.note, "yellow")):
        if text is not None:
            written += Text("\n") + safe(text, style)
    return written


def _write_value(value: object, secrets: list[str]) -> Text:
    try:
        found = redact(json.dumps(value, ensure_ascii=False), secrets)
    except (TypeError, ValueError, RecursionError):
        return safe("nothing that JSON knows", "red")
    if len(found) <= RESULT_LIMIT:
        return safe(found)
    return safe(found[:RESULT_LIMIT]) + safe(f" … {_left_of(found, value)}", "dim")


def _left_of(found: str, value: object) -> str:
    """Write how much is cut off, of an array the items that do not show to their end."""
    if not isinstance(value, list):
        return f"{len(found) - RESULT_LIMIT:,} characters more"
    sizes = (len(json.dumps(item, ensure_ascii=False)) + len(", ") for item in value)
    ends = accumulate(sizes, initial=-1)  # before the first one stands only "["
    return f"{sum(end > RESULT_LIMIT for end in ends):,} more of {len(value):,} items"

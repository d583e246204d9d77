"""JSON on standard output: one document, one a line, or an array of them."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar

import typer

FLUSH_AFTER: Final = 200
"""Items of a JSON array that leave together."""

Item = TypeVar("Item")


def write_json(document: object) -> None:
    """Write one JSON document; ASCII alone, so that no name can steer a terminal."""
    typer.echo(json.dumps(document, indent=2))


def write_document(body: bytes) -> None:
    """Write one JSON document on a line of its own, at once."""
    typer.echo(_fit_to_show(body))


async def write_array(
    found: AsyncIterator[Item], lay_out: Callable[[Item], str | bytes], limit: int | None
) -> None:
    """Write a JSON array, a line an item, while its items are found; a limit ends it early."""
    parts, written = [b"[\n"], 0
    async for item in found:
        parts += [b",\n" if written else b"", _fit_to_show(lay_out(item))]
        written += 1
        if written % FLUSH_AFTER == 0:
            typer.echo(b"".join(parts), nl=False)
            parts.clear()
        if written == limit:
            break
    parts.append(b"\n]")
    typer.echo(b"".join(parts) if written else b"[]")


def _fit_to_show(item: str | bytes) -> bytes:
    """Leave JSON as it is, but not onto a terminal: it may hold control characters."""
    shown = json.dumps(json.loads(item)) if sys.stdout.isatty() else item
    return shown if isinstance(shown, bytes) else shown.encode()

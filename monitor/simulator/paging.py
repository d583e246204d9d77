"""Paging: how a list is shown, one page after another, and what goes wrong with that."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from monitor.simulator.faults import JSON

_WORDS: Final = "hello, this is about your appointment. "
_PART: Final = 32 * 1024


@dataclass(slots=True)
class Paging:
    """Show rows by `limit` and `cursor`, at will in odd ways; a row with a status is a dial."""

    most_rows: int = 100
    """Of a page, whatever the limit asks for."""
    newest_first: bool = False
    transcript_bytes: int = 200
    overlap: int = 0
    """How many rows of a page come again on the next."""
    repeats_cursor: bool = False

    async def answer(
        self, request: web.BaseRequest, rows: Sequence[Mapping[str, Any]]
    ) -> web.StreamResponse:
        """Send the page that is asked for; one of long transcripts is never whole in memory."""
        size = min(int(request.query.get("limit", "20")), self.most_rows)
        start = int(request.query.get("cursor", "0"))
        end = start + size
        cursor = str(end - self.overlap) if end < len(rows) else None
        if self.repeats_cursor:
            cursor = str(size)
        shown = (rows[::-1] if self.newest_first else rows)[start:end]
        response = web.StreamResponse(headers={"Content-Type": JSON})
        await response.prepare(request)
        for part in self._encode(shown, cursor):
            await response.write(part)
        return response

    def _encode(self, rows: Sequence[Mapping[str, Any]], cursor: str | None) -> Iterator[bytes]:
        said = _WORDS * (self.transcript_bytes // len(_WORDS))
        transcript = json.dumps([{"speaker": "AI", "text": said}])
        part = '{"data": ['
        for number, row in enumerate(rows):
            part += ", " if number else ""
            part += json.dumps(row)
            if "status" in row:
                part = f'{part[:-1]}, "transcript": {transcript}}}'
            if len(part) > _PART:
                yield part.encode()
                part = ""
        yield f'{part}], "cursor": {json.dumps(cursor)}}}'.encode()

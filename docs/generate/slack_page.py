"""A Slack message as HTML that follows the look of Block Kit, from the payload that is sent."""

import html
import re
from datetime import UTC, datetime
from typing import Any, Final

_DATE: Final = re.compile(r"<!date\^(\d+)\^[^|>]*\{(time|time_secs)\}\|[^>]*>")
_BOLD: Final = re.compile(r"\*([^*\n]+)\*")
_CODE: Final = re.compile(r"`([^`\n]+)`")

_PAGE: Final = """<!doctype html><meta charset="utf-8"><style>
* { box-sizing: border-box; margin: 0 }
body { background: #fff; color: #1d1c1d; font: 15px/22px Lato, sans-serif; padding: 12px 16px;
  font-variant-ligatures: none; font-feature-settings: "lnum" }
.message { display: grid; grid-template-columns: 36px 1fr; gap: 0 8px }
.avatar { width: 36px; height: 36px; border-radius: 8px; background: #3b2f63; padding: 8px }
.who { font-weight: 900 }
.who i { background: #ddd; border-radius: 2px; color: #616061; font: 700 10px/14px Lato;
  margin: 0 4px; padding: 1px 3px; vertical-align: 2px }
.who span { color: #616061; font-size: 12px; font-weight: 400 }
.header { font-size: 18px; font-weight: 900; line-height: 24px; margin: 6px 0 4px }
.section { margin: 4px 0; overflow-wrap: anywhere }
.context { color: #616061; font-size: 13px; line-height: 18px; margin: 4px 0; padding-top: 2px }
b { font-weight: 900 }
code { background: #f8f8f8; border: 1px solid #ddd; border-radius: 3px; color: #c01343;
  font: 12px/18px "DejaVu Sans Mono", monospace; padding: 2px 3px 1px }
</style><div class="message"><svg class="avatar" viewBox="0 0 20 20" fill="none" stroke="#fff"
stroke-width="2" stroke-linecap="round"><path d="M3 17V9M8 17V5M13 17v-6M18 17V3"/></svg><div>
<div class="who">Batch monitor<i>APP</i><span>%s</span></div>
%s</div></div>"""


def page(payload: dict[str, Any], *, at: datetime) -> str:
    """Return the page of one message that arrived at a time."""
    parts = [_block(block) for block in payload["blocks"]]
    return _PAGE % (_clock(at), "\n".join(parts))


def _block(block: dict[str, Any]) -> str:
    match block["type"]:
        case "header":
            return f'<div class="header">{html.escape(block["text"]["text"])}</div>'
        case "section":
            return f'<div class="section">{_mrkdwn(block["text"]["text"])}</div>'
        case "context":
            texts = " ".join(_mrkdwn(part["text"]) for part in block["elements"])
            return f'<div class="context">{texts}</div>'
        case kind:
            raise ValueError(f"a block of type {kind} has no look yet: draw it here")


def _mrkdwn(text: str) -> str:
    """Translate the little markup that our messages use; the rest of it is escaped already."""
    dated = _DATE.sub(
        lambda found: _date(int(found[1]), ":%S" if found[2] == "time_secs" else ""), text
    )
    return _CODE.sub(r"<code>\1</code>", _BOLD.sub(r"<b>\1</b>", dated)).replace("\n", "<br>")


def _date(stamp: int, seconds: str) -> str:
    at = datetime.fromtimestamp(stamp, UTC)
    return f"{at:%b} {at.day}, {at.year} {_clock(at, seconds)}"


def _clock(at: datetime, seconds: str = "") -> str:
    return f"{at.hour % 12 or 12}{at.strftime(f':%M{seconds} %p')}"

"""The words of a Slack message: what each type of event is called, and what to do about it."""

from typing import Final

HEADLINES: Final = {
    "batch.first_seen": "👀 Batch first seen",
    "batch.counts_changed": "📊 Calls moved",
    "batch.status_changed": "🔄 Status changed",
    "batch.status_unknown": "❓ Unknown status",
    "batch.completed": "✅ Batch completed",
    "batch.failed": "❌ Batch failed",
    "batch.cancelled": "🚫 Batch cancelled",
    "batch.reopened": "🔁 Batch reopened",
    "batch.unreachable": "⚠️ Batch unreachable",
    "batch.reachable": "👌 Batch reachable again",
    "source.failing": "🔥 Source failing",
    "source.recovered": "👌 Source recovered",
    "batch.stalled": "💤 Batch stalled",
    "batch.progressing": "👌 Batch progressing again",
    "batch.overdue": "⏰ Batch overdue",
    "monitor.test": "🔔 Test",
}
SOURCE_REMOVED: Final = "👋 Source removed"
"""That of a source that was failing when it left the config, instead of its recovery."""
_KEY_REFUSED: Final = "The provider refuses the key: renew it."
REMEDIES: Final = {
    "source.failing": {
        "unauthorized": _KEY_REFUSED,
        "forbidden": _KEY_REFUSED,
        "key_missing": "The key cannot be read: `monitor check-config` says why.",
    },
    "batch.unreachable": {
        "too_large": "The answer is larger than what is read: `monitor poll` says what to do.",
    },
}
"""By type of event and kind of error: what no waiting mends."""
LASTING: Final = {
    "batch.stalled": "No call has moved for {}",
    "batch.progressing": "No call had moved for {}",
    "batch.overdue": "Late by {}",
}
LEFT_OPEN: Final = {
    "silence": "none of them has moved for a long while",
    "confirmed": "nobody is dialled or spoken any more",
}
"""By what an end was believed."""

"""The body of an event: its fields and what each holds, as the documentation says it too."""

from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict

from monitor.core.batch import Outcome, Phase, SettledBy
from monitor.core.event import EventType, Stamp
from monitor.core.failure import FailureKind


class Body(TypedDict):
    """A CloudEvent and a Standard Webhook at once."""

    specversion: Literal["1.0"]
    """The version of CloudEvents."""
    id: str
    """`evt_` and 26 characters; also the header `webhook-id`."""
    source: str
    """`/sources/NAME`, or `/receivers/NAME` for a test."""
    type: EventType
    """What happened, such as `batch.completed`."""
    subject: str
    """The batch's id, the source's or the receiver's name."""
    time: Stamp
    """When the monitor received the answer that showed it, UTC."""
    timestamp: Stamp
    """The same as `time`."""
    datacontenttype: Literal["application/json"]
    """The type of `data`."""
    data: Mapping[str, object]
    """The new state of the batch, or the source, or the receiver."""


class BatchName(TypedDict):
    """A batch, by its names."""

    source: str
    provider: str
    id: str
    name: str | None
    labels: dict[str, str]


class SourceName(TypedDict):
    """A source, by its names."""

    name: str
    provider: str
    labels: dict[str, str]


class ReceiverName(TypedDict):
    """A receiver, by its names."""

    name: str
    kind: str


class ProgressData(TypedDict):
    """How many calls there are, and how many are over."""

    total: int | None
    finished: int | None
    open: int | None
    percent: float | None


class ForecastData(TypedDict):
    """Pace and estimated end."""

    calls_per_minute: float
    ends_at: Stamp | None


class ErrorData(TypedDict):
    """How a poll failed."""

    kind: FailureKind | None
    status_code: int | None


class BatchData(TypedDict):
    """The `data` of a batch's event."""

    batch: BatchName
    """`source`, `provider`, `id`, `name`, and the `labels` of source and batch."""
    sequence: int
    """This event's number among the batch's."""
    status: str | None
    """The provider's own word, spelled as the provider spells it."""
    previous_status: str | None
    """The status at the reading before."""
    phase: Phase | None
    """The monitor's word for the status: `pending`, `running`, `paused`, `ended`, `unknown`."""
    previous_phase: Phase | None
    """The phase at the reading before."""
    outcome: Outcome | None
    """How an ended batch ended: `completed`, `failed`, `cancelled`."""
    settled: bool | None
    """True when the monitor believes the end."""
    counts: dict[str, int] | None
    """Number of calls per call status, in the provider's words."""
    previous_counts: dict[str, int] | None
    """The counts at the reading before."""
    changes: dict[str, int]
    """By how much each count changed, with its sign; `{}` when none did."""
    total_contacts: int | None
    """The provider's total of contacts."""
    valid_contacts: int | None
    """How many of them can be called, if the provider tells."""
    progress: ProgressData
    """`total` (valid contacts, else all contacts, else the sum of counts), `finished`, `open`,
    `percent` (0 to 100)."""
    conditions: list[str]
    """What is wrong: any of `stalled`, `unreachable`, `overdue`; also `late` when the batch had
    ended before it was first seen."""
    forecast: ForecastData | None
    """`calls_per_minute`: calls finished per minute over the last 15 minutes; `ends_at`: the
    estimated end at that pace."""
    scheduled_at: Stamp | None
    """When the batch was scheduled to start."""
    observed_at: Stamp
    """Time of this reading."""
    previous_observed_at: Stamp | None
    """Time of the reading before."""


class SourceData(TypedDict):
    """The `data` of a source's event."""

    source: SourceName
    """`name`, `provider`, `labels`."""
    sequence: int
    """This event's number among the source's."""
    observed_at: Stamp
    """Time of the poll that showed it."""


class ReceiverData(TypedDict):
    """The `data` of a receiver's event."""

    receiver: ReceiverName
    """`name`, `kind`."""
    sequence: int
    """This event's number among the receiver's."""
    observed_at: Stamp
    """When the event was made."""


class EndData(TypedDict):
    """What an end adds."""

    duration_seconds: float | None
    """Time from the first reading that was not pending; null if the batch had ended before."""
    late: bool
    """True when the batch had already ended when it was first seen."""
    settled_by: SettledBy | None
    """`counts`, `confirmed` or `silence`: why the monitor believes the end."""
    unknown_call_statuses: list[str]
    """Call statuses in `counts` that the monitor does not know: such calls count as open."""


class FailureData(TypedDict):
    """What is added while polls fail, or when they do no longer."""

    error: ErrorData
    """`kind`, and `status_code` (null without an answer)."""
    since: Stamp | None
    """Time of the first poll that failed."""


class RemovedData(TypedDict):
    """What is added when a source left the config while it failed."""

    removed: NotRequired[bool]
    """True when the source left the config while it failed: it is no longer polled."""


class ReachableData(TypedDict):
    """What is added when a batch can be read again."""

    since: Stamp
    """Time of the first poll that had failed."""


class StalledData(TypedDict):
    """What is added when nothing moves."""

    since: Stamp
    """Time of the last movement."""
    unknown_call_statuses: list[str]
    """Call statuses in `counts` that the monitor does not know: such calls count as open."""


class ProgressingData(TypedDict):
    """What is added when something moves again."""

    since: Stamp
    """Time of the last movement before."""


class ExampleData(TypedDict):
    """What `monitor test --type` adds."""

    test: NotRequired[bool]
    """True in what `monitor test --type` sends: it did not really happen."""


_END = (BatchData, EndData)

DATA: Mapping[EventType, tuple[type, ...]] = {
    EventType.FIRST_SEEN: (BatchData,),
    EventType.COUNTS_CHANGED: (BatchData,),
    EventType.STATUS_CHANGED: (BatchData,),
    EventType.STATUS_UNKNOWN: (BatchData,),
    EventType.COMPLETED: _END,
    EventType.FAILED: _END,
    EventType.CANCELLED: _END,
    EventType.REOPENED: (BatchData,),
    EventType.UNREACHABLE: (BatchData, FailureData),
    EventType.REACHABLE: (BatchData, ReachableData),
    EventType.SOURCE_FAILING: (SourceData, FailureData),
    EventType.SOURCE_RECOVERED: (SourceData, FailureData, RemovedData),
    EventType.STALLED: (BatchData, StalledData),
    EventType.PROGRESSING: (BatchData, ProgressingData),
    EventType.OVERDUE: (BatchData,),
    EventType.TEST: (ReceiverData,),
}
"""What `data` holds, by type of event; each may hold `ExampleData` besides."""

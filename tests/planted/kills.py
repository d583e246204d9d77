"""Bugs that a kill at the wrong moment brings to light."""

from tests.planted import Bug, Edit

KILLS = "tests/faults/test_kills.py"

BUGS = (
    Bug(
        name="new-id-per-attempt",
        edits=[
            Edit(
                module="monitor.sinks.webhook",
                old="event_id=delivery.event_id, timestamp",
                new="event_id=f'{delivery.event_id}{timestamp}', timestamp",
            ),
            Edit(
                module="monitor.sinks.webhook",
                old='            "webhook-id": delivery.event_id,\n',
                new='            "webhook-id": f"{delivery.event_id}{timestamp}",\n',
            ),
        ],
        test=KILLS,
        says="everything that is stored has arrived",
    ),
)

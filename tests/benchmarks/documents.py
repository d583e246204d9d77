"""What a provider answers: a batch's document as Bolna documents it."""

import json

ID = "BATCH"
COMPLETED = 987_654_321
OPEN = 400_000
"""So many that no end is in sight, or a batch would be polled twice as often."""
DOCUMENT = (
    json.dumps(
        {
            "batch_id": ID,
            "humanized_created_at": "5 minutes ago",
            "created_at": "2024-01-23T05:14:37Z",
            "updated_at": "2024-02-29T04:22:09Z",
            "status": "running",
            "scheduled_at": "2024-01-29T08:30:00Z",
            "from_phone_number": "+19876543007",
            "file_name": "customers.csv",
            "valid_contacts": 7,
            "total_contacts": 11,
            "execution_status": {"completed": COMPLETED, "ringing": 2, "in-progress": OPEN},
        }
    )
    .replace(ID, "%s")
    .replace(str(COMPLETED), "%d")
)
"""To be filled with the batch's id and its completed calls."""


def batch_ids(number: int) -> list[str]:
    """Name so many batches."""
    return [f"{n:032x}" for n in range(number)]

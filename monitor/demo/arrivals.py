"""The arrivals: what the demo's consumer got, with an account of what was not as it should be."""

from monitor.consumer import Arrival, Refusal, Subject


class Arrivals:
    """Keep what was accepted; count duplicates, bad signatures and gaps."""

    def __init__(self) -> None:
        self.accepted: list[Arrival] = []
        """Each once, in the order in which they came."""
        self.duplicates = 0
        self.bad_signatures = 0
        self.gaps = 0
        """Events whose sequence is not one more than their subject's last."""
        self._sequences: dict[Subject, int] = {}

    def of(self, subject: Subject) -> list[Arrival]:
        """Return what was accepted about one subject."""
        return [event for event in self.accepted if event.subject == subject]

    def note(self, arrived: Arrival | Refusal) -> None:
        """Take what came."""
        if isinstance(arrived, Refusal):
            self.bad_signatures += 1
        elif arrived.duplicate:
            self.duplicates += 1
        else:
            self.gaps += arrived.sequence != self._sequences.get(arrived.subject, 0) + 1
            self._sequences[arrived.subject] = arrived.sequence
            self.accepted.append(arrived)

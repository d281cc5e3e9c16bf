"""Counts what the bus lost, by each sender's own numbers. Pure."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

SENDERS_MAX: Final = 1_024


@dataclass(slots=True)
class _Sender:
    first: int
    highest: int
    received: int = 0

    @property
    def lost(self) -> int:
        # By counting, not by looking for gaps: threads of one sender may overtake one another by a message.
        return max(0, self.highest - self.first + 1 - self.received)


class LossCounter:
    """What was sent before this API first heard a sender is not known and not counted."""

    def __init__(self) -> None:
        self._senders: OrderedDict[str, _Sender] = OrderedDict()
        self._lost_by_forgotten = 0

    def note(self, sender_id: str, number: int) -> None:
        sender = self._senders.setdefault(sender_id, _Sender(number, number))
        sender.first = min(sender.first, number)
        sender.highest = max(sender.highest, number)
        sender.received += 1
        self._senders.move_to_end(sender_id)
        while len(self._senders) > SENDERS_MAX:
            self._lost_by_forgotten += self._senders.popitem(last=False)[1].lost

    @property
    def lost(self) -> int:
        return self._lost_by_forgotten + sum(sender.lost for sender in self._senders.values())

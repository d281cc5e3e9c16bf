"""One clip while it is being recorded: where the ingest thread hands frames to the clip's writer thread.

Frames are passed by reference. The ingest side (`offer`, `leave_ring`, `expire`, `amend`, `end`) never waits: where the disk
is so slow that the ring lets go of frames that still wait, they go into the backlog, and when that is full, they are
dropped for this clip and counted.

    backlog (overdue) | dropped, stated as a hole | ring (fresh) <- offer

    open -> over -> settled        over -> open, by `reopen`

Over is a recording to which no frame is added for now; settled, one whose end its writer has taken up: from then on its
window, and whatever the clip says of it, stands.
"""

import threading
from collections import deque
from collections.abc import Iterable
from itertools import chain, islice
from typing import Final

from preroll.clock import NS_PER_S
from preroll.wire import INT63_MAX
from services.recorder.cameras.backlog import Backlog, Overdue
from services.recorder.cameras.clip_plan import ClipPlan
from services.recorder.cameras.frame import Frame
from services.recorder.cameras.gaps import Hole
from services.recorder.cameras.window import Window

GRACE_NS: Final = NS_PER_S  # how long after its end a clip waits for the frame that closes it


class Recording:
    """The frames of one clip on their way to disk."""

    def __init__(
        self,
        plan: ClipPlan,
        frames: Iterable[Frame],
        holes: Iterable[Hole],
        period_ns: int,
        backlog: Backlog,
        *,
        is_begin_seen: bool = False,
    ) -> None:
        """Begin with what the ring holds of the window (`frames`, in order) and the holes among them.

        `is_begin_seen`: the ring holds a frame from before the window, so that nothing of its beginning can be missing
        but what a hole states.
        """
        self.is_begin_seen = is_begin_seen
        self.is_end_seen = False
        self.plan = plan
        self.period_ns = period_ns
        self._changed = threading.Condition()
        self._window = plan.window
        self.overdue: Final = Overdue(backlog)
        self._fresh: deque[Frame] = deque(frames)
        self._hand: deque[Frame] = deque()  # taken and not put down, as far as the ring holds it
        self._holes: list[Hole] = list(holes)
        self._dropped = 0
        self._dropping: Hole | None = None
        self._last_ns = self._fresh[-1].t_ns if self._fresh else None
        self._kept_ns: int | None = None  # of the frames that have left the ring or were taken: the newest not dropped
        self._is_over = False
        self._is_settled = False
        self._end_reason: str | None = None

    # --- the ingest side

    @property
    def changing(self) -> threading.Condition:
        """Held while several recordings are changed as one; after the lock of `Cameras`."""
        return self._changed

    @property
    def is_over(self) -> bool:
        """No frame is added any more, unless the recording is opened again before it is settled."""
        return self._is_over

    @property
    def is_settled(self) -> bool:
        """The writer has taken up the clip's end: nothing changes any more."""
        return self._is_settled

    @property
    def reached_ns(self) -> int | None:
        """The time of the newest frame of the window that came, written or dropped; `None` when none came."""
        return self._last_ns

    @property
    def window(self) -> Window:
        return self._window

    @property
    def waiting_frames(self) -> int:
        """How many wait for the writer."""
        return len(self.overdue.waiting) + len(self._fresh)

    @property
    def waits_since_ns(self) -> int:
        """The time of the oldest frame that is not written and that the ring holds; without waiting for the writer."""
        try:
            return (self._hand or self._fresh)[0].t_ns
        except IndexError:
            return INT63_MAX

    def offer(self, frame: Frame) -> None:
        """Take the camera's next frame, or close when it lies beyond the window's end."""
        with self._changed:
            if self._is_over or frame.t_ns < self._window.from_ns:
                return
            if frame.t_ns > self._window.to_ns:
                self._is_over = self.is_end_seen = True
                self._changed.notify_all()
                return
            self._fresh.append(frame)
            self._last_ns = frame.t_ns

    def leave_ring(self, until_ns: int) -> int:
        """The ring holds no frame from before `until_ns` any more. How many of them the backlog had no room for."""
        dropped = 0
        with self._changed:
            while self._hand and self._hand[0].t_ns < until_ns:
                self.overdue.add_in_hand(self._hand.popleft())
            while self._fresh and self._fresh[0].t_ns < until_ns:
                frame = self._fresh.popleft()
                if self.overdue.add(frame):
                    self._keep(frame.t_ns, frame.t_ns)
                else:
                    self._drop(frame)
                    dropped += 1
        return dropped

    def note(self, hole: Hole) -> None:
        """Take note of a hole in the camera's frames."""
        with self._changed:
            if not self._is_over and hole.touches(self._window.from_ns, self._window.to_ns):
                self._holes.append(hole)

    def expire(self, now_ns: int) -> None:
        """Close when the window's end has passed by `GRACE_NS` and no frame came to close it."""
        if not self._is_over and now_ns > self._window.to_ns + GRACE_NS:
            self._finish(None)

    def amend(self, to_ns: int) -> None:
        """Move the end of a recording that is not over. An end in the past closes it at the last frame that belongs to it."""
        with self._changed:
            assert not self._is_over, "an end that has passed is not moved, but opened again"
            self._window = self._window.ending_at(to_ns)
            if self._last_ns is not None and self._last_ns > to_ns:
                self._is_over = self.is_end_seen = True
            self._changed.notify_all()

    def reopen(self, to_ns: int) -> None:
        """Take frames again, up to `to_ns`: those that came since it was over are to be offered next, in order."""
        with self._changed:
            assert not self._is_settled, "a settled recording stands"
            self._window = self._window.ending_at(to_ns)
            self._is_over = self.is_end_seen = False

    def close(self) -> None:
        """Close now: every frame of the window is here, and one beyond it was seen."""
        self.is_end_seen = True
        self._finish(None)

    def end(self, reason: str) -> None:
        """Close now, with what there is; `reason` is stated as a shortfall."""
        self._finish(reason)

    # --- the writer's side

    def settle(self) -> bool:
        """Take up the clip's end, if the recording is over and every frame was taken; whether that is so."""
        with self._changed:
            self._put_down()
            self._is_settled = self._is_settled or (self._is_over and not self.waiting_frames)
            return self._is_settled

    def give_up(self, reason: str) -> None:
        """Close and settle now, because the clip cannot be written on; frames that wait are still to be taken."""
        with self._changed:
            self._finish(reason)
            self._is_settled = True

    def take(self, timeout_s: float) -> list[Frame]:
        """The frames that wait, up to 64 or 16 MB at once, in order; waits at most `timeout_s` seconds for the clip's end.

        Those taken before are put down: they are written. Frames gather while this waits, so that a writer wakes a few
        times a second and not for each frame. Empty when none came; then `is_over` says whether there will ever be more.
        """
        with self._changed:
            self._put_down()
            if not self._is_over and self.waiting_frames < _BATCH_FRAMES:
                self._changed.wait_for(lambda: self._is_over, timeout_s)
            batch = _first_of(chain(self.overdue.waiting, self._fresh))
            overdue = min(len(batch), len(self.overdue.waiting))
            self.overdue.hand_out(overdue)
            self._hand = deque(batch[overdue:])  # whoever asks `waits_since_ns` finds each frame in one of the two
            for _ in self._hand:
                self._fresh.popleft()
            if self._hand:
                self._keep(self._hand[0].t_ns, self._hand[-1].t_ns)
            return batch

    def put_down(self) -> None:
        """The frames taken last are written, or given up: they are not held for this clip any more."""
        with self._changed:
            self._put_down()

    @property
    def is_drained(self) -> bool:
        """The recording is over and every frame has been taken."""
        with self._changed:
            return self._is_over and not self.waiting_frames

    @property
    def is_holding(self) -> bool:
        """Frames wait, or are being written."""
        return bool(self._hand or self.overdue.in_hand or self.waiting_frames)

    def holes(self) -> tuple[Hole, ...]:
        """The holes within the window, by time; final once the recording is over."""
        with self._changed:
            self._end_drop(self._window.to_ns)
            window = self._window
            return tuple(sorted((h for h in self._holes if h.touches(window.from_ns, window.to_ns)), key=_begin_of))

    def noted(self) -> tuple[Hole, ...]:
        """The holes noted so far, in the order in which they came."""
        with self._changed:
            return tuple(self._holes)

    @property
    def dropped(self) -> int:
        """Frames that the disk was too slow for."""
        return self._dropped

    @property
    def end_reason(self) -> str | None:
        """Why the clip was ended before its window was over; `None` when it was not."""
        return self._end_reason

    def _finish(self, reason: str | None) -> None:
        with self._changed:
            if not self._is_over:
                self._is_over = True
                self._end_reason = reason
                self._changed.notify_all()

    def _put_down(self) -> None:
        self._hand = deque()
        self.overdue.put_down()

    def _keep(self, first_ns: int, last_ns: int) -> None:
        """Frames from `first_ns` to `last_ns` come next in the clip: what was dropped lies before them."""
        self._end_drop(first_ns)
        self._kept_ns = last_ns

    def _drop(self, frame: Frame) -> None:
        self._dropped += 1
        if self._dropping is None:
            since_ns = min(self._window.from_ns, frame.t_ns) if self._kept_ns is None else self._kept_ns
            self._dropping = Hole("dropped_by_writer", since_ns, frame.t_ns, frame.run_id, frame.seq, 0)
        began = self._dropping
        self._dropping = Hole(
            began.cause, began.from_ns, frame.t_ns, began.run_id, began.first_seq, (began.missing or 0) + 1
        )

    def _end_drop(self, until_ns: int) -> None:
        if self._dropping is not None:
            began = self._dropping
            self._holes.append(Hole(began.cause, began.from_ns, until_ns, began.run_id, began.first_seq, began.missing))
            self._dropping = None


_BATCH_FRAMES: Final = 64
_BATCH_BYTES: Final = 16_000_000


def _first_of(frames: Iterable[Frame]) -> list[Frame]:
    """As many as a writer takes at once, at least one if there is any."""
    batch: list[Frame] = []
    size_bytes = 0
    for frame in islice(frames, _BATCH_FRAMES):
        size_bytes += frame.held_bytes
        if batch and size_bytes > _BATCH_BYTES:
            break
        batch.append(frame)
    return batch


def _begin_of(hole: Hole) -> int:
    return hole.from_ns

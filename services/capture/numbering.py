"""Frames out of pictures: their numbers, their times, and the count of what was refused.

Pure: no I/O, no clock. One thread owns it.
"""

from preroll import jpeg, wire
from services.capture.sources.source import Picture


class Numbering:
    """One run's frames. Every picture consumes a number; a damaged one adds to `rejected` and is no frame."""

    def __init__(self, camera_id: str, boot_id: str, run_id: str, unix_offset_ns: int) -> None:
        self._camera_id = camera_id
        self._boot_id = boot_id
        self._run_id = run_id
        self._unix_offset_ns = unix_offset_ns
        self._last_ns = -1
        self._sizes = jpeg.Sizes()
        self.next_seq = 0
        self.rejected = 0

    @property
    def frames(self) -> int:
        """Frames so far, the rejected ones not among them."""
        return self.next_seq - self.rejected

    def frame_of(self, picture: Picture) -> wire.FrameHeader:
        """The header of the picture's frame, or `jpeg.JpegDamaged`; either way its number is used up.

        Times rise strictly: one that does not is put 1 ns after the one before.
        """
        seq = self.next_seq
        self.next_seq += 1
        try:
            size = self._sizes.next(picture.jpeg, wire.FRAME_MAX_BYTES)
        except jpeg.JpegDamaged:
            self.rejected += 1
            raise
        captured_ns = max(picture.captured_monotonic_ns, self._last_ns + 1)
        self._last_ns = captured_ns
        return wire.FrameHeader(
            self._camera_id,
            self._boot_id,
            self._run_id,
            seq,
            self.rejected,
            captured_ns,
            captured_ns + self._unix_offset_ns,
            "jpeg",
            keyframe=True,
            width=size.width,
            height=size.height,
        )

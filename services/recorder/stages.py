"""A clip's way after the ring: written, then encoded or hashed, then ready. And at start, what an earlier life left.

Each stage reports from its own thread; `Events` keeps the record.
"""

import logging
from typing import Any, Final

from preroll import wire
from preroll.clock import Clock, seconds
from preroll.logs import fields
from services.recorder import describe, salvage
from services.recorder.disk import WriteFailed
from services.recorder.clip_writer import ClipWriter
from services.recorder.encoding import EncodeFailed, Encoded, EncodeJob, EncodePool
from services.recorder.events import Events
from services.recorder.files import ClipsDir
from services.recorder.index import Index
from services.recorder.open_event import OpenEvent
from services.recorder.recording import Recording
from services.recorder.retention import Retention
from services.recorder.settings import RecorderSettings
from services.recorder.syncer import Syncer
from services.recorder.written import Failed, Written

log = logging.getLogger(__name__)

MB: Final = 1_000_000
GB: Final = 1_000_000_000


class Stages:
    """The writers, the encoders and retention."""

    def __init__(  # noqa: PLR0913 - the composition root names each part
        self,
        settings: RecorderSettings,
        events: Events,
        clips: ClipsDir,
        index: Index,
        clock: Clock,
        boot_id: str,
    ) -> None:
        self._settings = settings
        self._events = events
        self._clips = clips
        self._index = index
        self._clock = clock
        self._boot_id = boot_id
        self._syncer = Syncer()

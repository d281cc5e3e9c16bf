"""Whether a trigger now would be recorded.

Anybody may ask, without a key. So what is answered names no camera, and of those who ask at once only one asks the
recorder: it answers on the line on which it takes triggers.
"""

import asyncio
from typing import Final

from preroll import wire
from preroll.clock import BootId, Clock, Instant
from services.api import schemas
from services.api.problems import Problem
from services.api.recorder_client import RecorderClient

_WITHOUT_NAMES: Final[dict[wire.RefusalCode, str]] = {
    "overlapping": "a camera is being recorded, and the recorder is set to reject a trigger meanwhile",
}


class ReadinessCheck:
    """Asks the recorder. From one event loop."""

    def __init__(self, recorder: RecorderClient, clock: Clock, boot_id: BootId) -> None:
        self._recorder = recorder
        self._clock = clock
        self._boot_id = boot_id
        self._asking: asyncio.Task[schemas.Readiness] | None = None

    async def ask(self) -> schemas.Readiness:
        """The answer to a question that was asked of the recorder after this call began."""
        under_way = self._asking
        if under_way is not None and not under_way.done():
            await asyncio.wait([under_way])  # it may have been asked before what the caller has just done
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="readiness")
        return await asyncio.shield(self._asking)

    async def _ask(self) -> schemas.Readiness:
        now = Instant.now(self._clock, self._boot_id)
        received = wire.InstantRecord(boot_id=now.boot_id, monotonic_ns=now.monotonic_ns, unix_ns=now.unix_ns)
        try:
            checked = await self._recorder.check_trigger(received, 0)
        except Problem as err:
            return schemas.Readiness(ready=False, cameras_live=0, missing=[str(err)])
        missing = [] if checked.cameras_live else ["no camera is live"]
        if checked.refused is not None:
            missing.append(_WITHOUT_NAMES.get(checked.refused.code, checked.refused.message))
        return schemas.Readiness(ready=not missing, cameras_live=checked.cameras_live, missing=missing)

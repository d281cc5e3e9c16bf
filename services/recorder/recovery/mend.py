"""While the recorder runs: makes an index anew that somebody removed, replaced or overwrote. The evidence is in the files."""

import logging
from collections.abc import Callable

from services.recorder.recovery.reconcile import take_in
from services.recorder.store.files import ClipsDir
from services.recorder.store.index import Index

log = logging.getLogger(__name__)


def mend(clips: ClipsDir, index: Index, store_open: Callable[[], None]) -> bool:
    """Renew the index if it is lost; then `store_open` is to store the events that are not finished. Whether it was.

    Until then triggers are refused, and what is being recorded goes on. `IndexUnavailable` or `OSError` when it cannot be
    done now.
    """
    loss = index.loss()
    if loss is None:
        return False
    log.error("index is lost, made anew from itself and the files: %s", loss)
    index.renew(lambda fresh: take_in(clips, fresh))
    store_open()
    return True

"""`python -m services.recorder health`: whether the recorder on this host answers; for a container's health check."""

import sys
from typing import Final

import zmq

from preroll import sockets, wire
from services.recorder.settings import RecorderSettings

TIMEOUT_S: Final = 3.0


def run(settings: RecorderSettings) -> int:
    """0 when it answers, 1 with a line on stderr when it does not."""
    address = settings.query_bind.replace("://0.0.0.0:", "://127.0.0.1:").replace("://*:", "://127.0.0.1:")
    keys = settings.load_keys()
    with zmq.Context[zmq.Socket[bytes]]() as context:
        answer = sockets.request(
            context, address, wire.encode(wire.GetHealth()), TIMEOUT_S, keys.toward("recorder") if keys else None
        )
    if answer is None:
        print(f"no answer from {address} within {TIMEOUT_S:g} s", file=sys.stderr)
        return 1
    reply = wire.decode_reply(answer)
    is_starting = isinstance(reply, wire.Refused) and reply.code == "starting"  # which may take minutes
    return 0 if is_starting or isinstance(reply, wire.HealthReply) else 1

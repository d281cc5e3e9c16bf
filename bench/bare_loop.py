"""The limit of receiving: pyzmq alone, receive, append, drop the oldest. `python -m bench.bare_loop ADDRESS RING_FRAMES STATE`.

Of a message's three parts the picture alone is kept, uncopied; nothing is looked at. No loop in Python can do less.

SIGUSR1 writes the count of frames so far into STATE.
"""

import signal
import sys
from collections import deque
from pathlib import Path

import zmq

from preroll import sockets


def main(arguments: list[str]) -> int:
    """Receive until told to end."""
    address, ring_frames, state = arguments
    frames = 0

    def tell(*_: object) -> None:
        part = Path(f"{state}.part")
        part.write_text(str(frames))
        part.rename(state)

    def end(*_: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGUSR1, tell)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = sockets.subscriber(context)
    socket.subscribe(b"frame/")
    socket.bind(address)
    tell()
    ring: deque[object] = deque()
    room = int(ring_frames)
    receive = socket.recv
    while True:
        receive()
        receive()
        ring.append(receive(copy=False, track=False))
        frames += 1
        if len(ring) > room:
            ring.popleft()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

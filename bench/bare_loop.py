"""The limit of receiving: pyzmq alone, receive, append, drop the oldest.

`python -m bench.bare_loop messages|pictures ADDRESS RING_FRAMES STATE`. `messages` are kept whole, without a copy, as
`recv_multipart` gives them. `pictures` keeps of the three parts the last alone and looks at none: no loop in Python can do
less.

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
    kept, address, ring_frames, state = arguments
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
    take = _whole if kept == "messages" else _picture
    while True:
        ring.append(take(socket))
        frames += 1
        if len(ring) > room:
            ring.popleft()


def _whole(socket: zmq.Socket[bytes]) -> object:
    return socket.recv_multipart(copy=False, track=False)


def _picture(socket: zmq.Socket[bytes]) -> object:
    socket.recv()
    socket.recv()
    return socket.recv(copy=False, track=False)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

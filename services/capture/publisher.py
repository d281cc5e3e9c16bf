"""The frames' way out: one PUB socket that connects to the recorder and, if asked, binds for others.

The thread that makes it owns it. Nothing here blocks or fails for a peer's sake: libzmq resolves the name and connects
again by itself, and a subscriber that is too slow misses frames, which it counts from `seq`.
"""

from typing import Final

import zmq

from preroll import sockets, wire
from preroll.guard import Door
from preroll.keys import ClientKeys

# Below, copying is cheaper than keeping the bytes alive until they are sent, for which pyzmq wakes a thread of its own with
# every frame. With pictures of 270 kB a whole capture that copies took 0.88 of the CPU (thirteen pairs of runs, 0.68 to
# 1.08), though a loop that only publishes, 300 KiB each, was twice as fast without copies. Larger ones were not measured.
ZERO_COPY_MIN_BYTES: Final = 512 * 1024
# As plain numbers: to join two of the library's flags, or to pass one, costs more than the call they are for.
_WHOLE: Final = int(zmq.DONTWAIT)
_PART: Final = int(zmq.DONTWAIT | zmq.SNDMORE)


class FramePublisher:
    """Publishes the frames of one camera."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        camera_id: str,
        connect: str,
        bind: str | None = None,
        keys: ClientKeys | None = None,
        door: Door | None = None,
    ) -> None:
        self._topic = wire.topic_of(camera_id)
        self._socket = sockets.publisher(context)
        sockets.connect(self._socket, connect, keys)
        if bind is not None:
            sockets.bind(self._socket, bind, door)

    @property
    def bound_port(self) -> int:
        """The TCP port that others subscribe at, where one was asked for."""
        return sockets.bound_port(self._socket)

    def publish(self, header: wire.FrameHeader, jpeg: bytes | bytearray) -> None:
        """Send one frame to every subscriber that keeps up. `jpeg` must not be changed afterwards."""
        send = self._socket.send
        send(self._topic, _PART)
        send(wire.encode_header(header), _PART)
        send(jpeg, _WHOLE, copy=len(jpeg) < ZERO_COPY_MIN_BYTES)

    def close(self) -> None:
        self._socket.close()

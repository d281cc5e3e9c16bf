"""The services with CURVE on, and peers that knock."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import zmq

from preroll import keys, sockets
from preroll.keys import ClientKeys, Keys, Pair
from tests.support.processes import System, free_ports

Kind = Literal["no key", "unknown key", "wrong server key", "known key"]
STRANGERS: Final[tuple[Kind, ...]] = ("no key", "unknown key", "wrong server key")


class SecuredSystem(System):
    """A `System` whose services have keys; cameras publish for others too, at `watch_address`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.keys_dir = folder / "keys"
        self.watch_address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        keys.write_pairs(self.keys_dir)

    def environment(self) -> dict[str, str]:
        folders = {f"PREROLL_{service.upper()}_KEYS_DIR": str(self.keys_dir) for service in keys.SERVICES}
        return {**super().environment(), **folders}

    def keys_of(self, kind: Kind, server: str, name: str = "capture") -> ClientKeys | None:
        """What a peer of that kind shows to `server`; the known key is that of `name`."""
        server_public = (self.keys_dir / "public" / f"{server}.server").read_bytes().strip()
        known = Keys.load(self.keys_dir, name).client
        match kind:
            case "no key":
                return None
            case "unknown key":
                return ClientKeys(Pair(*zmq.curve_keypair()), server_public)
            case "wrong server key":
                return ClientKeys(known, zmq.curve_keypair()[0])
            case "known key":
                return ClientKeys(known, server_public)


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer of each bound socket."""

    frames: zmq.Socket[bytes]
    control: zmq.Socket[bytes]
    query: zmq.Socket[bytes]
    bus: zmq.Socket[bytes]
    watcher: zmq.Socket[bytes]

    @classmethod
    def knocking(cls, context: zmq.Context[zmq.Socket[bytes]], system: SecuredSystem, kind: Kind) -> "Peer":
        """Connected everywhere, with a key for that socket if it has any; what it sends waits until it is let in."""

        def connected(socket: zmq.Socket[Any], address: str, server: str, name: str = "capture") -> zmq.Socket[Any]:
            socket.linger = 0
            socket.immediate = False
            sockets.connect(socket, address, system.keys_of(kind, server, name))
            return socket

        watcher = sockets.subscriber(context)
        watcher.subscribe(b"")
        return cls(
            connected(context.socket(zmq.XPUB), system.frames_address, "recorder"),
            connected(sockets.requester(context), system.control_address, "recorder", "api"),
            connected(sockets.requester(context), system.query_address, "recorder", "api"),
            connected(sockets.bus_sender(context), system.bus_address, "api"),
            connected(watcher, system.watch_address, "capture"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for socket in (self.frames, self.control, self.query, self.bus, self.watcher):
            socket.close()

    def heard(self) -> list[str]:
        """Which of its sockets got anything."""
        named = {name: getattr(self, name) for name in ("frames", "control", "query", "watcher")}
        return [name for name, socket in named.items() if sockets.poll(socket, 0)]

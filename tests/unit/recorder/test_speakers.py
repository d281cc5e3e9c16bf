"""Keys that speak for cameras, when the key folder changes."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from preroll.guard import Door
from preroll.security.client_keys import Clients
from services.recorder.cameras.speakers import Speakers
from services.recorder.cameras.table import Cameras
from tests.support.clocks import HandClock


def test_what_fails_while_keys_are_looked_up_again_is_done_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cameras = Cameras(5, 100_000_000, 10_000_000, 64, "boot")
    door = SimpleNamespace(clients=Clients(), folder=Path("keys"))
    speakers = Speakers(cast("Door", door), cameras, HandClock())
    track = cameras.remember("a", 0)
    assert track is not None
    track.speaker = "its former key"
    door.clients = Clients(frozenset({"a"}))
    with monkeypatch.context() as failing:
        failing.setattr(cameras, "_tracks", None)
        with pytest.raises(TypeError):
            speakers.follow()
    speakers.follow()
    assert track.speaker is None

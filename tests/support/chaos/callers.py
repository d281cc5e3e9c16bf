"""The plant: triggers all the while, events that are amended, protected and deleted, each asked until it is answered."""

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.support.chaos.scene import CAMERAS, Scene

ASKED_FOR_S: Final = 20.0
RETRY_S: Final = 0.3
# While services end and start, disks are full and strangers come; a caller asks again.
AGAIN: Final = frozenset({429, 503, 507})


@dataclass(slots=True)
class Told:
    """What callers were told: `accepted` by event id, `deleted`, `in_doubt`, which were never answered, and `missing`,
    which were accepted and later said not to be there.
    """

    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    in_doubt: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    refused: dict[int, int] = field(default_factory=dict)


class Caller:
    """Triggers about once a second, from `start` to `close`."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self._scene = scene
        self._dice = random.Random(f"{seed}/caller")
        self._seed = seed
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caller")
        self.told = Told()

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        with httpx.Client(base_url=self._scene.system.url, timeout=5, trust_env=False) as http:
            while not self._end.wait(self._dice.uniform(0.2, 1.8)):
                try:
                    self._trigger(http, f"c{self._seed}-{number}")
                    self._touch(http)
                except Exception as err:
                    self._scene.fail(f"caller: {type(err).__name__}: {err}")
                number += 1

    def _trigger(self, http: httpx.Client, event_id: str) -> None:
        dice = self._dice
        body = {
            "event_id": event_id,
            "cameras": dice.sample(CAMERAS, dice.randint(1, len(CAMERAS))),
            "pre_s": round(dice.uniform(0, 3), 2),
            "post_s": round(dice.uniform(0.1, 4), 2),
            "labels": {"number": event_id},
        }
        answer = self._ask(http, "POST", "/trigger", body)
        if answer is None:
            self.told.in_doubt.add(event_id)
        elif answer.status_code in (200, 202):
            self.told.accepted[event_id] = answer.json()
        else:
            self._scene.fail(f"trigger {event_id}: {answer.status_code} {answer.text}")

    def _touch(self, http: httpx.Client) -> None:
        """Now and then amend, protect or delete one of the last events."""
        known = list(self.told.accepted)[-3:]
        if not known or self._dice.random() > 0.5:
            return
        event_id = self._dice.choice(known)
        if event_id in self.told.deleted:
            return
        match self._dice.choice(["amend", "amend", "protect", "delete"]):
            case "amend":
                post_s = round(self._dice.uniform(0, 5), 2)
                self._expect(http, "PATCH", event_id, "", {"post_s": post_s}, {200, 409})
            case "protect":
                for is_protected in (True, False):
                    self._expect(http, "PUT", event_id, "/protection", {"protected": is_protected}, {200})
            case _:
                self.told.deleted.add(event_id)  # also where no answer comes: it may be gone
                self._expect(http, "DELETE", event_id, "", None, {204, 404})  # the first try may have been carried out

    def _expect(
        self, http: httpx.Client, method: str, event_id: str, what: str, body: dict[str, Any] | None, wanted: set[int]
    ) -> None:
        path = f"/events/{event_id}{what}"
        answer = self._ask(http, method, path, body)
        if answer is not None and answer.status_code == 404 and event_id not in self.told.deleted:
            self.told.missing.add(event_id)  # it may have been removed for room; the oracle knows
        elif answer is not None and answer.status_code not in wanted:
            self._scene.fail(f"{method} {path} {body}: {answer.status_code} {answer.text}")

    def _ask(self, http: httpx.Client, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response | None:
        """The answer; asked again while there is none, or it says to come back, for at most `ASKED_FOR_S`."""
        deadline = time.monotonic() + ASKED_FOR_S
        while time.monotonic() < deadline:
            try:
                answer = http.request(method, path, json=body)
            except httpx.TransportError:
                answer = None
            if answer is not None:
                if answer.status_code not in AGAIN:
                    return answer
                refused = self.told.refused
                refused[answer.status_code] = refused.get(answer.status_code, 0) + 1
            if self._end.wait(RETRY_S):
                break
        return None

"""The oracle: every accepted event exists and is true, and every missing picture is explained."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.support.chaos.callers import Told
from tests.support.chaos.scene import FPS, Scene
from tests.support.explaining import sidecar_of, unexplained
from tests.support.judging import apart_ms
from tests.support.pictures import read_codes
from tests.support.waiting import NeverHappened, wait_until

SETTLED_WITHIN_S: Final = 240.0
# A camera that draws on a crowded machine comes late; a clip that lies is off by seconds.
COVERED_SLACK_S: Final = 0.5
CLOCK_SLACK_MS: Final = 1.5 * 1000 / FPS
FINAL: Final = frozenset({"ready", "failed"})
NO_RENDITION: Final = "no rendition"


def broken_promises(scene: Scene, told: Told) -> Iterator[str]:
    """Each promise that was not kept, in words. To be asked when all is healed and callers are quiet."""
    gone = _removed_for_room(scene)
    for event_id in told.accepted:
        if event_id in told.deleted:
            continue
        try:
            event = wait_until(lambda wanted=event_id: _settled(scene, wanted), SETTLED_WITHIN_S)  # type: ignore[misc]
        except NeverHappened as err:
            yield f"{event_id}: not settled: {err}"[:2000]
            continue
        if event == "gone":
            if event_id not in gone:
                yield f"{event_id}: accepted, and not there"
            continue
        assert isinstance(event, dict)
        if event_id in told.missing:
            yield f"{event_id}: said not to be there, and is"
        for clip in event["clips"]:
            for fault in _untruths(scene, event, clip):
                yield f"{event_id}/{clip['camera_id']}: {fault}"
    for event_id in told.deleted:
        answer = scene.system.http.get(f"/events/{event_id}")
        if answer.status_code == 200 and event_id not in told.accepted:
            yield f"{event_id}: deleted, and there"


def _settled(scene: Scene, event_id: str) -> dict[str, Any] | str | None:
    answer = scene.system.get(f"/events/{event_id}")
    if answer is None or answer.status_code == 503:
        return None
    if answer.status_code == 404:
        return "gone"
    event: dict[str, Any] = answer.json()
    if all(clip["state"] in FINAL or _lacks_its_rendition(clip) for clip in event["clips"]):
        return event
    return None


def _lacks_its_rendition(clip: dict[str, Any]) -> bool:
    return clip["state"] == "saved" and any(line.startswith(NO_RENDITION) for line in clip["shortfall"])


def _untruths(scene: Scene, event: dict[str, Any], clip: dict[str, Any]) -> Iterator[str]:
    if clip["state"] == "failed":
        if not clip["shortfall"] or clip["complete"]:
            yield f"failed without a word: {clip}"
        return
    sidecar = sidecar_of(scene.system, event["event_id"], clip["camera_id"])
    yield from unexplained(sidecar)
    if clip["complete"] != (not clip["shortfall"]):
        yield f"complete {clip['complete']}, shortfall {clip['shortfall']}"
    if clip["complete"] and sidecar["holes"]:
        yield f"complete, with holes {sidecar['holes']}"
    if clip["delivered"]["frames"] != len(sidecar["frames"]):
        yield f"{clip['delivered']['frames']} frames delivered, {len(sidecar['frames'])} in the sidecar"
    yield from _uncovered(clip)
    if sidecar["clip"]["complete"] != clip["complete"]:
        yield f"its sidecar says complete={sidecar['clip']['complete']}, the index {clip['complete']}"
    kind = "clip" if "clip" in clip["files"] else "original"
    file = scene.folder / f"{event['event_id']}-{clip['camera_id']}.mp4"
    yield from _unlike(scene.system.download(clip["files"][kind]["url"], file), sidecar)
    file.unlink()


def _uncovered(clip: dict[str, Any]) -> Iterator[str]:
    late_s = _unix(clip["delivered"]["from"]) - _unix(clip["requested"]["from"])
    early_s = _unix(clip["requested"]["to"]) - _unix(clip["delivered"]["to"])
    if clip["complete"] and max(late_s, early_s) > COVERED_SLACK_S:
        yield f"complete, but begins {late_s:.3f} s late and ends {early_s:.3f} s early"
    if min(late_s, early_s) < -0.001:
        yield f"reaches beyond its window: {late_s:.3f} s at the beginning, {early_s:.3f} s at the end"


def _unlike(file: Path, sidecar: dict[str, Any]) -> Iterator[str]:
    """Whether the pictures are those that the sidecar names, at the times that it states."""
    codes = read_codes(file)
    stated = sidecar["frames"]
    numbers = [seq for _, seq, _ in stated]
    if [code.number for code in codes] != numbers:
        yield f"shows {len(codes)} pictures that are not the {len(numbers)} stated"
        return
    begun_ms = _unix(sidecar["first_frame_at"]) * 1e3 - (sidecar["clock"]["unix_offset_ns"] or 0) / 1e6
    off_ms = max(
        abs(apart_ms(code.clock_ms, begun_ms + us / 1e3)) for code, (_, _, us) in zip(codes, stated, strict=True)
    )
    if off_ms > CLOCK_SLACK_MS:
        yield f"a picture is {off_ms:.1f} ms from the time stated for it"


def _removed_for_room(scene: Scene) -> set[str]:
    """What retention removed while the disk was full, as the recorder's log has it."""
    log = scene.system.services["recorder"].log_text()
    return {
        found[1]
        for line in log.splitlines()
        if "event removed" in line and "retention" in line and (found := re.search(r'"event_id": ?"([^"]+)"', line))
    }


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()

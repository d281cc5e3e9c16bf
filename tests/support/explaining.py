"""The oracle of every fault: what a clip lacks is stated in its sidecar, number for number."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.support.pictures import Code, read_codes
from tests.support.processes import Json, System
from tests.support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Shown:
    """One finished clip: its record, its sidecar, and the file."""

    clip: Json
    sidecar: Json
    file: Path

    @property
    def numbers(self) -> list[int]:
        """The numbers of its frames, as the sidecar has them."""
        return [seq for _, seq, _ in self.sidecar["frames"]]

    def lost(self, cause: str) -> int:
        """How many frames are stated to be missing for this cause."""
        return sum(hole["missing"] or 0 for hole in self.sidecar["holes"] if hole["cause"] == cause)

    def causes(self) -> set[str]:
        return {hole["cause"] for hole in self.sidecar["holes"]}


def shown(system: System, event_id: str, camera_id: str = "cam1", timeout_s: float = 60) -> Shown:
    """The clip once it is ready; its sidecar explains every number that it lacks, or this fails."""

    def is_ready() -> Json | None:
        event = system.event(event_id)
        (clip,) = [clip for clip in event["clips"] if clip["camera_id"] == camera_id]
        assert clip["state"] != "failed", clip
        return clip if clip["state"] == "ready" else None

    clip = wait_until(is_ready, timeout_s, f"the clip of {camera_id} in {event_id} is ready") or {}
    sidecar = sidecar_of(system, event_id, camera_id)
    file = system.download(clip["files"]["clip"]["url"], system.folder / f"{event_id}-{camera_id}.mp4")
    assert unexplained(sidecar) == []
    assert clip["delivered"]["frames"] == len(sidecar["frames"])
    assert clip["delivered"]["lost"] == sum(hole["missing"] or 0 for hole in sidecar["holes"])
    assert clip["complete"] == (not clip["shortfall"])
    assert not (clip["complete"] and sidecar["holes"])
    return Shown(clip, sidecar, file)


def drawn(of: Shown) -> list[Code]:
    """What is drawn in the clip's pictures, which must be what its sidecar says."""
    codes = read_codes(of.file)
    assert [code.number for code in codes] == of.numbers
    return codes


def sidecar_of(system: System, event_id: str, camera_id: str = "cam1") -> Json:
    answer = system.http.get(f"/events/{event_id}/clips/{camera_id}.json")
    assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
    sidecar: Json = answer.json()
    return sidecar


def unexplained(sidecar: Json) -> list[str]:
    """The numbers between two frames of a clip for which no hole accounts, in words; empty when all is explained."""
    runs, holes = sidecar["runs"], sidecar["holes"]
    said: list[str] = []
    for (run, seq, at_us), (next_run, next_seq, next_us) in pairwise(sidecar["frames"]):
        if next_us <= at_us:
            said.append(f"frame {next_seq} is not later than {seq}")
        if run != next_run:
            if not any(hole["cause"] == "restarted" and hole["run_id"] == runs[run] for hole in holes):
                said.append(f"from run {runs[run]} to {runs[next_run]} without a restart")
            continue
        stated = sum(
            hole["missing"] or 0 for hole in holes if hole["run_id"] == runs[run] and seq < hole["first_seq"] < next_seq
        )
        if stated != next_seq - seq - 1:
            said.append(f"{next_seq - seq - 1} numbers are missing after {seq}, {stated} are stated")
    return said

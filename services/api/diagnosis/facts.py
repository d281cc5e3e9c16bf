"""What the doctor is told, and what he says. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from preroll import wire

State = Literal["ok", "warning", "problem"]
Subject = Literal["trigger", "clock", "disk", "descriptors", "memory", "cameras", "keys", "events", "encoding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`advice` is there where something is to be done."""

    subject: Subject
    state: State
    said: str
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out. `now` is the API's; `recorder` is `None` while it does not answer.

    `missing` is why a trigger now would not be recorded. `exposed_files` are key files that others can use.
    """

    now: wire.InstantRecord
    missing: Sequence[str] = ()
    recorder: wire.RecorderHealth | None = None
    cameras: Sequence[wire.Camera] = ()
    descriptors_limit: int | None = None
    descriptors_in_use: int | None = None
    is_anybodys: bool = False  # no key is set, and others than this machine reach the API
    has_key: bool = False
    has_curve: bool = False
    exposed_files: Sequence[str] = field(default=())

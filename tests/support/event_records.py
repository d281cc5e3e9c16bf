"""Event records for tests of the index and of retention."""

from collections.abc import Iterable, Mapping

from preroll import wire

FIRST_UNIX_NS = 1_800_000_000 * 1_000_000_000


def event(
    event_id: str,
    *,
    at_s: float = 0,
    state: wire.ClipState = "ready",
    cameras: Iterable[str] = ("cam1",),
    labels: Mapping[str, str] | None = None,
    is_protected: bool = False,
    size_bytes: int = 1000,
) -> wire.Event:
    """An event `at_s` seconds after the first moment, each clip with one file of `size_bytes`."""
    at_ns = FIRST_UNIX_NS + round(at_s * 1e9)
    span = wire.Span(from_unix_ns=at_ns - 5_000_000_000, to_unix_ns=at_ns + 10_000_000_000)
    clips = tuple(
        wire.Clip(
            camera_id=camera_id,
            state=state,
            coverage="full",
            missing_s=0.0,
            complete=True,
            shortfall=(),
            requested=span,
            delivered=wire.Delivered(from_unix_ns=span.from_unix_ns, to_unix_ns=span.to_unix_ns, frames=450, lost=0),
            slack_ns=50_000_000,
            files={"clip": wire.FileFact(path=f"{event_id}/{camera_id}.mp4", size_bytes=size_bytes, sha256="0" * 64)},
        )
        for camera_id in cameras
    )
    return wire.Event(
        event_id=event_id,
        state=state,
        triggered_unix_ns=at_ns,
        received_unix_ns=at_ns,
        pre_s=5.0,
        post_s=10.0,
        labels=dict(labels or {}),
        is_protected=is_protected,
        fingerprint="fingerprint",
        accepted_after_s=0.002,
        clips=clips,
    )

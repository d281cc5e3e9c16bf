"""What a frame costs in counts that are the same on every machine."""

from bench import frame_path
from bench.scale import Place
from bench.spread import Json


def measure(_place: Place) -> Json:
    """Python instructions on a frame's way, and the memory a frame holds besides its JPEG. No copy of the JPEG is made."""
    return {
        "instructions_per_frame": round(frame_path.instructions_per_frame(), 1),
        "held_bytes_per_frame": round(frame_path.held_bytes_per_frame()),
    }

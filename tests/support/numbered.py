"""Numbered pictures as files, drawn by the synthetic camera's own code."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from preroll.clock import NS_PER_S
from services.capture.sources.jpeg_encoding import encode_jpeg
from services.capture.sources.synthetic import Scene


@dataclass(frozen=True, slots=True)
class Pictures:
    """JPEGs numbered from 0, in files `00000.jpg` and so on."""

    folder: Path
    jpegs: list[bytes]
    fps: int

    @property
    def pattern(self) -> str:
        """The files' names, as ffmpeg and GStreamer want them."""
        return f"{self.folder}/%05d.jpg"

    @classmethod
    def drawn(cls, folder: Path, count: int, fps: int, width: int = 640, height: int = 360) -> Self:
        scene = Scene(width, height)
        jpegs = [encode_jpeg(scene.draw(number, number * NS_PER_S // fps, 0), 85) for number in range(count)]
        for number, jpeg in enumerate(jpegs):
            (folder / f"{number:05d}.jpg").write_bytes(jpeg)
        return cls(folder, jpegs, fps)

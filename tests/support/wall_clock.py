"""A wall clock that is set while processes run. Needs a C compiler."""

import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("wall_clock.c")
COMPILER: Final = shutil.which("cc")


class WallClock:
    """The wall clock of what is run `within` it: `offset_s` seconds off the machine's."""

    def __init__(self, folder: Path, offset_s: int = 0) -> None:
        assert COMPILER, "no C compiler"
        library, self._file = folder / "wall_clock.so", folder / "offset"
        subprocess.run([COMPILER, "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
        self._file.write_bytes(struct.pack("=q", offset_s))
        self.within = ("env", f"LD_PRELOAD={library}", f"WALL_CLOCK_OFFSET_FILE={self._file}")

    def step_to(self, offset_s: int) -> None:
        """Set it, for those who have the file mapped: so it is written over, never anew."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", offset_s))

"""Motion on the same HTTP camera: its settings, its process, its trigger."""

import shutil
import urllib.request
from pathlib import Path
from typing import Final

PROGRAM: Final = "motion"


def is_installed() -> bool:
    return shutil.which(PROGRAM) is not None


def settings(url: str, control_port: int, pre_s: float, fps: int, folder: Path) -> str:
    """A configuration that never sees motion of itself and records H.264 when told to, with `pre_s` of pre-roll."""
    return "\n".join(
        [
            "daemon off",
            "setup_mode off",
            "log_level 4",
            f"log_file {folder / 'motion-own.log'}",
            f"pid_file {folder / 'motion.pid'}",
            f"target_dir {folder}",
            f"netcam_url {url}",
            "netcam_keepalive on",
            "width 1920",
            "height 1080",
            f"framerate {fps}",
            f"pre_capture {round(pre_s * fps)}",
            "post_capture 0",
            "event_gap -1",
            "threshold 2000000",
            "text_left",
            "text_right",
            "picture_output off",
            "movie_output on",
            "movie_codec mp4",
            "movie_filename motion-%v",
            "movie_max_time 0",
            "stream_port 0",
            f"webcontrol_port {control_port}",
            "webcontrol_localhost on",
            "webcontrol_interface 1",
            "webcontrol_parms 1",
            "",
        ]
    )


def command(config: Path) -> list[str]:
    return [PROGRAM, "-n", "-c", str(config)]


def act(control_port: int, action: str) -> bool:
    """Ask for `eventstart` or `eventend`; whether it answered."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{control_port}/0/action/{action}", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def is_capturing(control_port: int) -> bool:
    """Whether the camera is connected, by its own word."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{control_port}/0/detection/connection", timeout=5) as answer:
            return b"OK" in answer.read()
    except OSError:
        return False

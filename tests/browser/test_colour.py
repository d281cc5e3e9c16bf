"""A rendition's colours as Chromium draws them."""

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser

from services.recorder.renditions.encoder import render
from services.recorder.renditions.jobs import Encoding
from tests.support.originals import colour_card, jpeg_of, mean_difference, picture_of, write_original

pytestmark = pytest.mark.timeout(120)

DIFFERENCE_MAX = 3.0
# Drawn when the browser tells that the frame is there: after `seeked` alone a busy one may have none yet, and draws black.
DRAWN = """
async (film) => {
    const blob = await (await fetch('data:video/mp4;base64,' + film)).blob();
    const video = document.createElement('video');
    video.muted = true;
    document.body.append(video);
    const frame = () => new Promise((resolve, reject) => {
        video.onerror = () => reject(new Error(video.error.message));
        video.requestVideoFrameCallback(resolve);
    });
    const first = frame();
    video.src = URL.createObjectURL(blob);
    await first;
    const middle = frame();
    video.currentTime = video.duration / 2;
    await middle;
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext('2d').drawImage(video, 0, 0);
    return canvas.toDataURL('image/png').split(',')[1];
}
"""


@pytest.mark.parametrize(("width", "height"), [(640, 360), (1280, 720)])
@pytest.mark.parametrize("sampling", ["4:2:0", "4:2:2", "4:4:4"])
def test_colours_are_right_as_drawn_by_chromium(
    browser: Browser, tmp_path: Path, sampling: str, width: int, height: int
) -> None:
    jpeg = jpeg_of(colour_card(width, height), sampling)
    write_original(tmp_path / "original.mp4", [jpeg] * 15, size=(width, height))
    render(tmp_path / "original.mp4", tmp_path / "clip.mp4", Encoding("libx264", "superfast", 18, threads=0))
    page = browser.new_page()
    page.goto("about:blank")
    png = page.evaluate(DRAWN, base64.b64encode((tmp_path / "clip.mp4").read_bytes()).decode())
    page.close()
    drawn = cv2.imdecode(np.frombuffer(base64.b64decode(png), np.uint8), cv2.IMREAD_COLOR)
    assert drawn is not None
    differences = mean_difference(drawn.astype(np.uint8), picture_of(jpeg))
    print(f"{sampling} {width}x{height}: {[round(d, 2) for d in differences]}")
    assert max(differences) < DIFFERENCE_MAX, differences

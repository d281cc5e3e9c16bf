"""A clip in a real browser: it plays from its first picture to its last."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.processes import System

pytestmark = pytest.mark.timeout(180)

PLAY_TO_THE_END = """
async (url) => {
    const video = document.createElement('video');
    video.muted = true;
    video.src = url;
    document.body.append(video);
    await new Promise((resolve, reject) => {
        video.onended = resolve;
        video.onerror = () => reject(new Error(video.error.message));
        video.play().catch(reject);
    });
    const quality = video.getVideoPlaybackQuality();
    return {currentTime: video.currentTime, duration: video.duration, pictures: quality.totalVideoFrames,
            width: video.videoWidth, height: video.videoHeight};
}
"""


def test_a_clip_plays_to_its_end(browser: Browser, tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.start_all("cam1")
        system.wait_ring(3, "cam1")
        event = system.wait_state(system.trigger(pre_s=2, post_s=2)["event_id"], "ready")
        (clip,) = event["clips"]
        page = browser.new_page()
        page.goto(f"{system.url}/healthz")
        played = page.evaluate(PLAY_TO_THE_END, clip["files"]["clip"]["url"])
        page.close()
    assert played["duration"] == pytest.approx(4.0, abs=0.05)
    assert played["currentTime"] == pytest.approx(played["duration"], abs=0.05)
    assert (played["width"], played["height"]) == (640, 360)

"""`python -m services.capture`: capture one camera until asked to end."""

from services.capture.service import run
from services.capture.settings import CaptureSettings

if __name__ == "__main__":
    run(CaptureSettings.load_or_exit())

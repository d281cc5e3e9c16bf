"""`python -m services.capture`: capture one camera until asked to end."""

from preroll.runtime.service import run
from services.capture import service

if __name__ == "__main__":
    run(service.main)

"""`python -m services.api`: run the API."""

from preroll.runtime.service import run
from services.api import service

if __name__ == "__main__":
    run(service.main)

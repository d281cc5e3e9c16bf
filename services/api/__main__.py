"""`python -m services.api`: run the API."""

from services.api import service

if __name__ == "__main__":
    raise SystemExit(service.main())

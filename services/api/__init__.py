"""The API: HTTP for triggers, clips, live pictures and pages, and the stream of what all services say."""

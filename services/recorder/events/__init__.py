"""Triggers become events; what an event and its clips are, from acceptance to the end."""

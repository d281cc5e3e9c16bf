"""The command line: speaks HTTP to the API, and imports nothing of the services or of what they share."""

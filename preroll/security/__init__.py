"""Keys and what they permit, for all services."""

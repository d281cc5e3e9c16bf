"""What the system tells of this process, and what it lets it have. Where it tells nothing, nothing is concluded."""

"""How a service's process lives: its threads, who watches them, and how they end."""

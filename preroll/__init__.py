"""What the services of Preroll share: the wire contract, the clock, sockets, logs and process life."""

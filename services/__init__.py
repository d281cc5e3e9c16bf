"""The three services. They talk over ZeroMQ and never import one another."""

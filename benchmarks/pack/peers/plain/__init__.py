"""Variables, in the open → the example's page and robot: what the peers deploy."""

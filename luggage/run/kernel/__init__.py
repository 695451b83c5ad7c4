"""What Linux offers a process and its parent, each by its own name."""

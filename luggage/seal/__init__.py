"""An artifact → what can be told of it from outside: its SBOM, what is in it, what differs."""

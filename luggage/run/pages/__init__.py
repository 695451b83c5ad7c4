"""A running system → what it tells over HTTP, to people and to Prometheus."""

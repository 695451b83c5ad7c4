"""luggage: a Python web application, its locked dependencies and its sealed secrets in one file."""

__version__ = "0.1.0"

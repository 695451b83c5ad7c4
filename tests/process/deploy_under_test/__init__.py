"""A small deployment that the process tests run, with a config.py made for each test."""

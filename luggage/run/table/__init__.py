"""A process table as it is written, and the environment → what is to run, and where."""

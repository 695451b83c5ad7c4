"""The example's deployment: values and wiring, no logic."""

"""The example: a page of moods and lines. It knows nothing of how it is deployed."""

"""Process definitions → processes that live, die, are begun again and end in order."""

"""Name + value → the config module on disk: grammar, splice, write, keygen."""

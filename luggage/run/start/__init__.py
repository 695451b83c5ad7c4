"""Key, artifact, state and descriptors → what each process is started with; and what is run before."""

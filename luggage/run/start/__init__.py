"""Key, artifact, state, descriptors → what each process is started with, and what is run before."""

"""Commands to a server that answers in order: threads share a pool, every loop has a pipeline."""

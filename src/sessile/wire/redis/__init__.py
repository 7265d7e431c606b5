"""A Redis client of our own: threads share a pool, every event loop has its pipelines."""

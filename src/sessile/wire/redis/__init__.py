"""A Redis client: threads use redis-py's pool, every event loop a pipeline of its own."""

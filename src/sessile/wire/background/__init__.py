"""Async hooks that go on after their request, under an event loop or without one."""

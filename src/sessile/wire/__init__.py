"""Floor 2: the one place with sockets, event loops, threads, the clock and entropy."""

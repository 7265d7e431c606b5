"""Being told what changed: what a store's feed says, and the thread that follows it."""

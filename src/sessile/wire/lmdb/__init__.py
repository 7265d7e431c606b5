"""An LMDB file that threads, event loops and processes use at once."""

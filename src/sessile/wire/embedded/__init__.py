"""Files of databases that run within this process: calls on them, and what may stand in the way."""

"""Floor 5: the use cases as flows. ``sessions`` is the face; ``web`` and ``cli`` use it."""

"""Floor 4: the use cases as flows. ``sessions`` is the face; ``web`` and ``cli`` use it."""

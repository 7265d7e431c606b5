"""Floor 5, beside ``web``: ready-made hooks that carry events to logs, metrics and traces."""

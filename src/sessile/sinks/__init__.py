"""Floor 6, beside ``web``: ready-made hooks that carry events to logs, metrics and traces."""

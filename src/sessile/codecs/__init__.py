"""Floor 1: values to bytes and back. Pure."""

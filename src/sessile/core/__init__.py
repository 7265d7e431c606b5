"""Floor 0: values and decisions. No I/O, no clock, no entropy, no logging."""

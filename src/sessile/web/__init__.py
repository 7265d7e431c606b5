"""Floor 6: sessions at the border of a web framework. One interface, one file."""

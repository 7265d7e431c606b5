"""Words for a terminal: numbers with their nouns, and foreign text with nothing it would obey."""


def printable(text: str) -> str:
    """Return the text with a ``?`` for each character that a terminal might obey."""
    return "".join(char if char.isprintable() else "?" for char in text)


def pluralize(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is one."""
    return f"{number} {noun}{'s' * (number != 1)}"

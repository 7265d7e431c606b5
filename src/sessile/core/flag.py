"""Check what is to be true or false. For every option and argument that is one."""

from sessile.errors import ConfigError


def check_flag(name: str, given: object) -> bool:
    """Return it.

    Settings come as text from the environment and from forms, and every text but the empty one
    counts as true, ``"false"`` too.

    Raises:
        ConfigError: it is no bool.
    """
    if type(given) is bool:
        return given
    example = f"; of a text make one first, as in {name}=(text == 'yes')"
    raise ConfigError(
        f"{name}={given!r}: write {name}=True or {name}=False"
        f"{example if isinstance(given, str) else ''}"
    )

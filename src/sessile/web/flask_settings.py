"""Flask's own settings of a session: what they say agrees with ours, or is refused with our line.

``web.flask`` asks when it takes over an application, and once more at the first request, because an
application may be configured in between.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from sessile.core.cookie import Cookie
from sessile.core.policy import Policy
from sessile.errors import ConfigError
from sessile.service.sessions import Sessions

_DAY: Final = 86_400
_UNSET: Final[Mapping[str, object]] = {
    "SESSION_COOKIE_NAME": "session",
    "SESSION_COOKIE_DOMAIN": None,
    "SESSION_COOKIE_PATH": None,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SECURE": False,
    "SESSION_COOKIE_PARTITIONED": False,
    "SESSION_COOKIE_SAMESITE": None,
    "PERMANENT_SESSION_LIFETIME": timedelta(days=31),
    "SESSION_TYPE": None,
}
"""What they are where nobody has set them; then ours count."""


def check_settings(config: Mapping[str, Any], sessions: Sessions) -> None:
    """Refuse settings that would be passed over: each with the line to write instead.

    Raises:
        ConfigError: one says otherwise than ``sessions``.
    """
    given = {name: config.get(name, usual) for name, usual in _UNSET.items()}
    asked = {name: value for name, value in given.items() if value != _UNSET[name]}
    lines = [
        f"app.config[{name!r}] = {asked[name]!r}: write {line}"
        for name, line in _differences(asked, sessions.cookie, sessions.policy)
        if name in asked
    ]
    if lines:
        raise ConfigError(
            "; ".join(lines) + "; where both say the same the setting may stay, else take it out"
        )


def _differences(
    asked: Mapping[str, Any], cookie: Cookie, policy: Policy
) -> Iterator[tuple[str, str]]:
    """Yield each setting that says otherwise, and what to write."""
    ours = {
        "SESSION_COOKIE_NAME": (cookie.full_name, "name={!r}"),
        "SESSION_COOKIE_DOMAIN": (cookie.domain, "domain={!r}"),
        "SESSION_COOKIE_PATH": (cookie.path, "path={!r}"),
        "SESSION_COOKIE_SECURE": (cookie.secure, "secure={!r}"),
        "SESSION_COOKIE_PARTITIONED": (cookie.partitioned, "partitioned={!r}"),
    }
    for name, (value, line) in ours.items():
        if name in asked and (asked[name] or None) != (value or None):
            yield name, f"Sessions(cookie=Cookie({line.format(asked[name])}))"
    same_site = str(asked.get("SESSION_COOKIE_SAMESITE"))
    if same_site.lower() != cookie.same_site.value.lower():
        word = f"SameSite.{same_site.upper()}"
        yield "SESSION_COOKIE_SAMESITE", f"Sessions(cookie=Cookie(same_site={word}))"
    lasts = _seconds(asked.get("PERMANENT_SESSION_LIFETIME"))
    if lasts not in {policy.remember_idle, policy.remember_absolute}:
        line = f"remember_idle=days({lasts / _DAY:g}), remember_absolute=days({lasts / _DAY:g})"
        yield "PERMANENT_SESSION_LIFETIME", f"Sessions(policy=Policy({line}))"
    yield "SESSION_COOKIE_HTTPONLY", "nothing: scripts never see a session's cookie"
    yield "SESSION_TYPE", 'a URL, as in Sessions("redis://cache:6379/0")'


def _seconds(lasts: object) -> float:
    if isinstance(lasts, timedelta):
        return lasts.total_seconds()
    return float(lasts) if isinstance(lasts, int | float) else 0.0

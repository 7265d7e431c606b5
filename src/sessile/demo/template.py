"""Fill templates: every value is escaped, a missing one is an error. ``routes`` answer with it."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

STATIC: Final = Path(__file__).parent / "static"

_CONTENTS: Final = b"".join(p.read_bytes() for p in sorted(STATIC.rglob("*")) if p.is_file())
_EDITION: Final = sha256(_CONTENTS).hexdigest()[:12]
"""Stands in the addresses of static files, so that a browser may keep each for good."""

_TEMPLATES: Final = Environment(
    loader=PackageLoader("sessile.demo"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["static"] = lambda name: f"/static/{name}?{_EDITION}"


def render(
    template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: object
) -> HTMLResponse:
    """Return an answer made of a template."""
    text = _TEMPLATES.get_template(template).render(status=status, **values)
    return HTMLResponse(text, status, headers)

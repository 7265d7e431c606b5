"""Floor 8: a small shop on several servers, to watch sessions at work. ``cli`` starts it.

``launcher`` starts everything; ``fleet`` runs the server processes; ``application`` is the shop
that each of them runs; ``page`` decides what is shown.
"""

from importlib.util import find_spec

from sessile.errors import MissingExtra

_NEEDED = (
    "argon2", "jinja2", "pyotp", "python_multipart", "rich", "starlette", "uvicorn", "websockets",
)  # fmt: skip

if not all(map(find_spec, _NEEDED)):
    raise MissingExtra("the demo", "demo")

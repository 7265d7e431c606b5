"""Forms: read a field, and send the browser back to the page. The routes of forms share it."""

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response


def text_field(form: FormData, name: str) -> str:
    """Return a field of a form.

    Raises:
        HTTPException: 400, as it is missing, or a file.
    """
    value = form.get(name)
    if not isinstance(value, str):
        raise HTTPException(400, f"This form lacks the field {name!r}.")
    return value


def back_to(part: str, *, notice: str = "") -> Response:
    """Return the redirect to a part of the page: 303, so that the browser fetches it with GET."""
    query = f"?notice={notice}" if notice else ""
    return RedirectResponse(f"/{query}#{part}", status_code=303)

"""What the routes of forms share: reading a field, and sending the browser back to the page."""

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


def back_to(place: str, *, notice: str = "") -> Response:
    """Return the redirect to a part of the page: 303, so that the browser fetches it with GET."""
    query = f"?notice={notice}" if notice else ""
    return RedirectResponse(f"/{query}#{place}", status_code=303)

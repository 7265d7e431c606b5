"""Forms: read a field, and send the browser back to a page. The routes of forms share it."""

from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sessile.demo.frame import PagePath
from sessile.demo.shop import shop_of
from sessile.web.starlette import get_session


def text_field(form: FormData, name: str) -> str:
    """Return a field of a form.

    Raises:
        HTTPException: 400, as it is missing, or a file.
    """
    value = form.get(name)
    if not isinstance(value, str):
        raise HTTPException(400, f"This form lacks the field {name!r}.")
    return value


def back_to(part: str, *, page: PagePath = PagePath.SHOP, **query: str) -> Response:
    """Return the redirect to a part of a page: 303, so that the browser fetches it with GET.

    Args:
        part: the id of an element.
        page: where it is.
        query: what the page is told, as ``notice="out"``.
    """
    asked = f"?{urlencode(query)}" if query else ""
    return RedirectResponse(f"{page.value}{asked}#{part}", status_code=303)


def has_ended(request: Request) -> bool:
    """Tell whether a form was sent in a session that has ended since its page was shown.

    The browser showed a ticket, and it opened nothing: what the form asks for cannot be meant for
    the stranger that its visitor is now.
    """
    session, name = get_session(request), shop_of(request).sessions.cookie.full_name
    return session.new and session.lock is None and name in request.cookies


def begin_again(request: Request) -> None:
    """Say so where what the form asks for begins a new session, since the one before has ended."""
    if has_ended(request):
        get_session(request).flash(
            "The session of that click has ended. A new one, of nobody, begins with it.", "bad"
        )

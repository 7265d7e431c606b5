"""Change how the page looks. ``settings`` keeps it in the session."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sessile.demo.routes.forms import back_to, begin_again, text_field
from sessile.demo.settings import Settings
from sessile.web.starlette import get_session


async def choose(request: Request) -> Response:
    """Keep the choices of the form."""
    async with request.form() as form:
        theme, currency = text_field(form, "theme"), text_field(form, "currency")
    try:
        settings = Settings.parse(theme, currency)
    except ValueError:
        raise HTTPException(400, "There is no such theme or currency.") from None
    begin_again(request)
    settings.keep(get_session(request))
    return back_to("settings")

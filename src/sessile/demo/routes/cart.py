"""Fill and empty the cart. ``cart`` says what that does to the session."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sessile.demo import cart, steps
from sessile.demo.catalogue import ITEMS, Item
from sessile.demo.routes.forms import back_to, begin_again, has_ended, text_field
from sessile.demo.steps import Step
from sessile.web.starlette import get_session


async def add(request: Request) -> Response:
    """Put one piece of an item in."""
    item, session = await _item(request), get_session(request)
    begin_again(request)
    if cart.add(session, item):
        steps.mark(session, Step.CART)
        session.flash(f"{item.name}: in your cart.", "good")
    else:
        session.flash("Your cart is full.", "bad")
    return back_to("shop")


async def remove(request: Request) -> Response:
    """Take one piece of an item out."""
    item, session = await _item(request), get_session(request)
    if has_ended(request):
        return back_to("cart", notice="ended")
    if cart.remove(session, item):
        session.flash(f"{item.name}: one taken out.", "good")
    return back_to("cart")


async def empty(request: Request) -> Response:
    """Take everything out."""
    if has_ended(request):
        return back_to("cart", notice="ended")
    get_session(request).pop("cart", None)
    return back_to("cart")


async def _item(request: Request) -> Item:
    async with request.form() as form:
        key = text_field(form, "item")
    if key not in ITEMS:
        raise HTTPException(404, "The shop has no such item.")
    return ITEMS[key]

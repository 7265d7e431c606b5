"""Check out: a second factor, and then the order, once. ``authenticator`` checks the code."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sessile.demo import cart
from sessile.demo.authenticator import CodeStatus
from sessile.demo.frame import PagePath
from sessile.demo.page import lines, total
from sessile.demo.routes.forms import back_to, has_ended, text_field
from sessile.demo.routes.page import render_page
from sessile.demo.settings import Settings
from sessile.demo.shop import shop_of
from sessile.errors import StepUpNeeded
from sessile.web.starlette import get_session
from sessile.wire import system

PURPOSE: Final = "checkout"
_REFUSALS: Final = {
    CodeStatus.WRONG: "That is not the code your authenticator shows.",
    CodeStatus.USED: "That code was used already. Each one works once: wait for the next.",
}


async def show(request: Request) -> Response:
    """Show the order; ask for a code, or, once it was given, for the word to buy."""
    shop, session = shop_of(request), get_session(request)
    refused = _redirect_if_unready(request)
    if refused is not None or session.user is None:
        return refused or back_to("account")
    chosen, currency = cart.contents(session), Settings.of(session).currency
    return await render_page(
        request,
        "checkout.html",
        PagePath.CHECKOUT,
        lines=lines(chosen, currency),
        total=total(chosen, currency),
        granted=session.has_grant(PURPOSE),
        phone=await shop.authenticator.phone(session.user, system.clock()),
    )


async def confirm(request: Request) -> Response:
    """Check a code; a right one allows one checkout, within five minutes."""
    shop, session = shop_of(request), get_session(request)
    async with request.form() as form:
        code = text_field(form, "code")
    refused = _redirect_if_unready(request)
    if refused is not None or session.user is None:
        return refused or back_to("account")
    status = await shop.authenticator.check(session.user, code, system.clock())
    if status is CodeStatus.RIGHT:
        session.step_up(PURPOSE, factors=("totp",))
        session.flash(
            "The code is right. This is a new session, and it may check out once.", "good"
        )
    else:
        session.note(f"gave a code that was {status.value}")
        session.flash(_REFUSALS[status], "bad")
    return _again()


async def buy(request: Request) -> Response:
    """Spend what the code allowed, and only then take the order."""
    shop, session = shop_of(request), get_session(request)
    refused = _redirect_if_unready(request)
    if refused is not None:
        return refused
    try:
        await shop.sessions.spend(session, PURPOSE)
    except StepUpNeeded:
        session.flash("An order takes a code from your authenticator, a new one each time.", "bad")
        return _again()
    sum_due = total(cart.contents(session), Settings.of(session).currency)
    session.pop("cart", None)
    session.note(f"ordered for {sum_due}")
    session.flash(f"Ordered for {sum_due}. Nothing will be sent, and nothing was charged.", "good")
    return back_to("cart")


def _redirect_if_unready(request: Request) -> Response | None:
    """Return where to go first; None when somebody is logged in and has something to buy."""
    session = get_session(request)
    if has_ended(request):
        return back_to("account", notice="ended")
    if session.user is None:
        if not session.new:  # nothing is kept for a stranger's sake
            session.flash("Log in before you check out.", "bad")
        return back_to("account")
    if not cart.contents(session):
        session.flash("There is nothing in your cart.", "bad")
        return back_to("shop")
    return None


def _again() -> Response:
    return RedirectResponse("/checkout", status_code=303)

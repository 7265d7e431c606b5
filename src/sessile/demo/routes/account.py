"""Log in and out, unlock, turn the ticket, end devices. ``users`` checks passwords."""

from starlette.requests import Request
from starlette.responses import Response

from sessile.demo import steps
from sessile.demo.copies import outlast_copies
from sessile.demo.routes.forms import back_to, has_ended, text_field
from sessile.demo.shop import shop_of
from sessile.demo.steps import Step
from sessile.web.starlette import get_session


async def log_in(request: Request) -> Response:
    """Check the password; whatever is wrong, the answer is the same."""
    shop, session = shop_of(request), get_session(request)
    async with request.form() as form:
        name, password = text_field(form, "username"), text_field(form, "password")
        remember = "remember" in form
    if not await shop.users.check(name, password):
        session.flash("That user name and password do not belong together.", "bad")
        return back_to("account")
    session.login(name, remember=remember, factors=("password",))
    session.flash(f"Welcome, {name}. This is a new session: the one before has ended.", "good")
    if stolen := shop.alarms.take_unread(name):
        steps.mark(session, Step.THEFT)  # the session that was stolen could not keep it
        count = "A session" if stolen == 1 else f"{stolen} sessions"
        session.flash(f"{count} of yours ended for theft. Your activity tells more.", "bad")
    return back_to("account")


async def unlock(request: Request) -> Response:
    """Open a locked session to whoever knows its owner's password."""
    shop, session = shop_of(request), get_session(request)
    async with request.form() as form:
        password = text_field(form, "password")
    if session.locked_user is None:
        return back_to("account")
    if not await shop.users.check(session.locked_user, password):
        return back_to("account", notice="wrong")  # a locked session keeps no message
    session.unlock(factors=("password",))
    session.flash("Unlocked: your session goes on here, under a new id.", "good")
    return back_to("account")


async def log_out(request: Request) -> Response:
    """End this session, on the server first."""
    get_session(request).logout()
    return back_to("account", notice="out")


async def turn(request: Request) -> Response:
    """Turn the ticket now, as happens every quarter of an hour. A thief does so to be ahead."""
    session = get_session(request)
    if session.user is None:
        return _refuse(request)
    session.rotate()
    session.note("turned the ticket")
    session.flash("Your cookie has a new ticket. The session and its id are the same.", "good")
    return back_to("session")


async def end_device(request: Request) -> Response:
    """End one of the user's other sessions."""
    shop, session = shop_of(request), get_session(request)
    wanted = request.path_params["session_id"]
    if session.user is None:
        return _refuse(request)
    devices = await shop.sessions.of(session.user)
    name = next((device.device for device in devices if device.id == wanted), None)
    if name is None:  # nobody ends what is not theirs, nor learns whether it exists
        session.flash("That device is not logged in any more.", "bad")
    else:
        await shop.sessions.end(wanted, owner=session.user)
        await outlast_copies(shop.near)  # else "every server" would be too much said
        session.flash(f"{name} is logged out. Every server refuses it from now on.", "good")
    return back_to("devices")


async def end_others(request: Request) -> Response:
    """End all of the user's sessions but this one."""
    shop, session = shop_of(request), get_session(request)
    if session.user is None:
        return _refuse(request)
    ended = await shop.sessions.end_all(session.user, keep=session.id)
    await outlast_copies(shop.near)
    session.flash(f"{ended} other device{'s' * (ended != 1)} logged out.", "good")
    return back_to("devices")


def _refuse(request: Request) -> Response:
    """Say that a form of somebody who was logged in does nothing: they are not any more."""
    session = get_session(request)
    if has_ended(request):
        return back_to("account", notice="ended")
    if not session.new and session.lock is None:  # nothing is kept for a stranger's sake
        session.flash("Nothing was done: nobody is logged in here any more.", "bad")
    return back_to("account")

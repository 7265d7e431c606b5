"""The shop's own door: who may try things out there, and as whom. Several routes go through it."""

from starlette.exceptions import HTTPException
from starlette.requests import Request

from sessile.demo.fleet.message import GetView
from sessile.demo.guard import is_from_here
from sessile.demo.shop import Shop, shop_of
from sessile.demo.shop_client import ShopClient


def check_here(request: Request) -> None:
    """Make sure that a visitor sits at this machine.

    Raises:
        HTTPException: 403, they do not.
    """
    if not is_from_here(request, shop_of(request).sessions.proxies):
        raise HTTPException(403, "Servers are controlled from the machine they run on.")


async def door_of(shop: Shop) -> tuple[str, int]:
    """Return host and port of the balancer.

    Raises:
        HTTPException: 503, it does not listen yet.
    """
    address = (await shop.parent(GetView())).address
    if address is None:
        raise HTTPException(503, "The shop's door is not open yet.")
    return address


async def client_of(request: Request) -> ShopClient:
    """Return a client that is the visitor to the shop: their cookies, browser and address.

    The browser keeps its ticket from every script (``HttpOnly``), so it is the server that copies
    it out of the visitor's own request.

    Raises:
        HTTPException: 403, they sit at another machine, whose address we cannot have.
    """
    check_here(request)
    shop = shop_of(request)
    return ShopClient(
        await door_of(shop),
        request.cookies,
        ticket=shop.sessions.cookie.full_name,
        browser=request.headers.get("user-agent", ""),
    )

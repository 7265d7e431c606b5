"""A provider of identities that says yes to everybody: a real one cannot be had in a test.

Everybody is Alice. It speaks OpenID Connect as far as Authlib asks for it: discovery, an
authorization that asks nobody, a token with an ``id_token`` that is signed, the keys to it, and an
end of its session.
"""

import secrets
import time
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

KEY = RSAKey.generate_key(2048, {"kid": "of the provider"}, private=True)
CLIENT = {"client_id": "shop", "client_secret": "a secret of the shop, for tests"}
PEOPLE = {"sub": "alice", "name": "Alice", "email": "alice@example.com"}

nonces: dict[str, str] = {}  # by code


async def discover(request):
    root = str(request.base_url).rstrip("/")
    places = {
        "authorization_endpoint": "/authorize",
        "token_endpoint": "/token",
        "jwks_uri": "/jwks",
        "end_session_endpoint": "/end",
    }
    known = {name: root + path for name, path in places.items()}
    return JSONResponse(
        {**known, "issuer": root, "id_token_signing_alg_values_supported": ["RS256"]}
    )


async def authorize(request):
    asked = request.query_params
    code = secrets.token_hex(8)
    nonces[code] = asked["nonce"]
    told = urlencode({"code": code, "state": asked["state"]})
    return RedirectResponse(f"{asked['redirect_uri']}?{told}", 302)


async def token(request):
    form = await request.form()
    now = int(time.time())
    claims = {
        **PEOPLE,
        "iss": str(request.base_url).rstrip("/"),
        "aud": CLIENT["client_id"],
        "iat": now,
        "exp": now + 600,
        "nonce": nonces.pop(form["code"]),  # a code is good once
    }
    signed = jwt.encode({"alg": "RS256", "kid": KEY.kid}, claims, KEY)
    return JSONResponse(
        {"access_token": "at", "token_type": "Bearer", "expires_in": 600, "id_token": signed}
    )


async def jwks(_request):
    return JSONResponse({"keys": [KEY.as_dict(private=False)]})


async def end(request):
    asked = request.query_params
    told = urlencode({"state": asked["state"]})
    return RedirectResponse(f"{asked['post_logout_redirect_uri']}?{told}", 302)


app = Starlette(
    routes=[
        Route("/.well-known/openid-configuration", discover),
        Route("/authorize", authorize),
        Route("/token", token, methods=["POST"]),
        Route("/jwks", jwks),
        Route("/end", end),
    ]
)

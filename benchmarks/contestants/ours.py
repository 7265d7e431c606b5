"""sessile in the set-ups that are measured."""

import sessile
from sessile import Cookie, Sealing, Sessions

SECRET = "bEnch_7Qw2Lk9Zx4Rv8Nt3Mj6Hp1Gs5Fd0Yc"


def sessions(option, redis, folder):
    sealed = option.endswith("sealed")
    era = "then" if "foundation" in sessile.__file__ else "now"
    url = f"{redis}?prefix={era}:" if "redis" in option else f"sqlite:///{folder}/{option}-{era}.db"
    return Sessions(
        url,
        secrets=[SECRET],
        cookie=Cookie(secure=False),
        sealing=Sealing.WHEN_SECRETS_ARE_GIVEN if sealed else Sealing.OFF,
    )

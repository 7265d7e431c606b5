"""The red team bites: each weakened build here loses to the attack it is listed by."""

import pytest

from red_team.attack import ATTACK, WEAKENED, attacks, caught, families

PAIRS = [(attack, weaken) for attack in attacks() for weaken in getattr(attack, "weak", ())]
CASES = [  # by one interface each, in turn
    pytest.param(
        attack,
        weaken,
        attack.interfaces[number % len(attack.interfaces)],
        id=f"{attack.__name__}-{weaken.__name__}",
    )
    for number, (attack, weaken) in enumerate(PAIRS)
]


@pytest.mark.parametrize(("attack", "weaken", "interface"), CASES)
def test_weakened_build_is_caught(monkeypatch, tmp_path, attack, weaken, interface):
    """Without that defence the attack succeeds, and its own assertion says so."""
    monkeypatch.setenv(WEAKENED, f"{weaken.__module__}:{weaken.__name__}")
    weaken(monkeypatch)
    url = f"sqlite:///{tmp_path}/sessile.db?timeout=20"
    with attack.serve(interface, url) as site, caught(attack, site):
        attack(site)


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack.__name__)
def test_every_attack_has_a_weakened_build(attack):
    """An attack that no build loses to would be no test."""
    assert getattr(attack, "weak", ())


@pytest.mark.parametrize("family", families(), ids=lambda family: family.__name__)
def test_every_test_of_a_family_is_an_attack(family):
    """A test without a row's number in its name would escape the check above."""
    tests = [name for name in vars(family) if name.startswith("test_")]

    assert tests
    assert [name for name in tests if not ATTACK.match(name)] == []

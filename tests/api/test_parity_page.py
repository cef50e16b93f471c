"""The page that compares us with W&B's client is made by walking that client."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path

import pytest

from wandb_mirror.api.refusals import Refused
from wandb_mirror.errors import OnlyUpstream

pytestmark = pytest.mark.sdk
DOCS = Path(__file__).parents[2] / "docs"
INTERNAL = {"self", "cls", "service_api", "attrs"}


@pytest.fixture(scope="module")
def parity():
    pytest.importorskip("wandb")
    spec = importlib.util.spec_from_file_location("parity", DOCS / "parity.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_member_is_decided_about_and_the_page_says_so(parity):
    assert parity.make_page() == (DOCS / "wandb-parity.md").read_text(encoding="utf-8")


def test_every_public_class_has_a_counterpart_or_a_reason(parity):
    from wandb.apis import public

    assert set(public.__all__) - set(parity.THEIRS) == set(parity.ABSENT)


def test_what_differs_and_is_left_out_is_there_in_the_client(parity):
    known = {(each.owner, each.name) for each, _ in parity.members()}
    named = {(owner, name) for owner, names in parity.DIFFERS.items() for name in names}
    named |= {(owner, name) for owner, names in parity.LEFT_OUT_OF.items() for name in names}
    assert {each for each in named if each not in known} == set()


def test_methods_take_the_clients_parameters_with_its_defaults(parity):
    wrong = {}
    for member, _ in parity.members():
        if member.verdict.startswith(("refused", "left out")):
            continue
        theirs = inspect.getattr_static(
            parity.find("wandb", parity.THEIRS[member.owner]), member.name, None
        )
        ours = inspect.getattr_static(
            parity.find("wandb_mirror.api", parity.OURS[member.owner]), member.name, None
        )
        if not inspect.isfunction(theirs) or not inspect.isfunction(ours):
            continue
        wanted = parameters(theirs)
        found = parameters(ours)
        if {name: found.get(name, "missing") for name in wanted} != wanted:
            wrong[f"{member.owner}.{member.name}"] = (wanted, found)
    assert wrong == {}


def parameters(function):
    """Return parameters and their defaults, in the words of the client."""
    function = inspect.unwrap(function)
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in INTERNAL
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }


def test_the_constructor_takes_the_clients_parameters(parity):
    import wandb

    from wandb_mirror import Api

    theirs, ours = inspect.signature(wandb.Api.__init__), inspect.signature(Api.__init__)
    assert list(ours.parameters)[: len(theirs.parameters)] == list(theirs.parameters)


def test_every_refusal_is_the_one_error_and_says_what_to_use(parity):
    for member, _ in parity.members():
        ours = parity.find("wandb_mirror.api", parity.OURS[member.owner])
        found = inspect.getattr_static(ours, member.name, None)
        if isinstance(found, Refused):
            with pytest.raises(OnlyUpstream, match=r"use wandb|run\.scan_history"):
                found.refuse()

"""What every engine promises: the contract of completions, and log-probs that are the trainer's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from earnest.component import build, names
from earnest.engines.base import EngineSession
from earnest.engines.torch import Torch
from earnest.models.base import Policy
from earnest.types import Finish, Request
from policies import batch_of, by_key, request

STOPS = tuple(range(0, 256, 16))
REQUESTS = [
    request("3+7=", tag="a", n=3, seed=1, max_tokens=20, stop_ids=STOPS),
    request("3", tag="b", n=2, seed=2, max_tokens=5, stop_ids=STOPS, temperature=0.7),
    request("1-2-3-4-5=", tag="c", n=4, seed=3, max_tokens=20, stop_ids=()),
    request("3+7=", tag="d", n=1, seed=4, max_tokens=1, stop_ids=STOPS),
]
Open = Callable[[], EngineSession]
FAKES = {"scripted"}
"""Engines whose log-probs come from nowhere."""


def settings(name: str, policy: Policy, folder: Path) -> dict[str, Any]:
    """A configuration that can serve REQUESTS; replay plays back what `torch` wrote."""
    if name == "scripted":
        return {"completions": [[5, 6, 7, 8], [9, 16], list(range(1, 30))]}
    if name == "replay":
        prompts = {r.tag: r.prompt_ids for r in REQUESTS}
        lines = [
            {"prompt_ids": prompts[c.tag], "token_ids": c.token_ids, "index": c.index, "finish": c.finish}
            | {"logprobs": c.logprobs}
            for c in by_tag(Torch().open(policy), REQUESTS)
        ]
        (folder / "rollouts.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
        return {"path": str(folder / "rollouts.jsonl")}
    return {}


def by_tag(session: EngineSession, requests: list[Request]) -> list:
    found = by_key(list(session.generate(requests)))
    return [found[r.tag, index] for r in requests for index in range(r.n)]


@pytest.fixture(params=names("engine"))
def opened(request: pytest.FixtureRequest, tiny_policy: Policy, tmp_path: Path) -> tuple[str, Open]:
    engine = build("engine", {"name": request.param, **settings(request.param, tiny_policy, tmp_path)})
    return request.param, lambda: engine.open(tiny_policy)


def test_every_request_gets_its_completions_in_legal_form(opened: tuple[str, Open], tiny_policy: Policy) -> None:
    with opened[1]() as session:
        completions = by_key(list(session.generate(REQUESTS)))
    assert set(completions) == {(r.tag, i) for r in REQUESTS for i in range(r.n)}
    for r in REQUESTS:
        for i in range(r.n):
            c = completions[r.tag, i]
            assert c.token_ids and c.logprobs and len(c.token_ids) == len(c.sampled) == len(c.logprobs)
            assert len(c.token_ids) <= r.sampling.max_tokens and all(c.sampled)
            assert all(x <= 0 for x in c.logprobs)
            stops = [token in r.stop_ids for token in c.token_ids]
            assert not any(stops[:-1]) and (c.finish is Finish.STOP) == stops[-1]
            assert c.policy_version == tiny_policy.version and c.sampling == r.sampling


def test_a_resumed_session_goes_on_where_the_other_stopped(opened: tuple[str, Open]) -> None:
    whole = opened[1]()
    expected = by_tag(whole, REQUESTS[:2]), by_tag(whole, REQUESTS[2:])
    first = opened[1]()
    assert by_tag(first, REQUESTS[:2]) == expected[0]
    second = opened[1]()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert by_tag(second, REQUESTS[2:]) == expected[1]


def test_refresh_stamps_the_new_version(opened: tuple[str, Open], tiny_policy: Policy) -> None:
    session, before = opened[1](), tiny_policy.version
    tiny_policy.version = 41
    try:
        session.refresh(tiny_policy)
        assert {c.policy_version for c in session.generate(REQUESTS)} == {41}
    finally:
        tiny_policy.version = before


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_are_the_trainers(opened: tuple[str, Open], tiny_policy: Policy, temperature: float) -> None:
    name, open_session = opened
    if name in FAKES:
        assert {x for c in open_session().generate(REQUESTS) for x in c.logprobs or ()} == {-1.0}
        return
    requests = [r for r in REQUESTS if r.sampling.temperature == temperature]
    assert requests
    completions = list(open_session().generate(requests))
    out = tiny_policy.forward(batch_of(requests, completions), temperature=temperature)
    recorded = torch.tensor([x for c in completions for x in c.logprobs or ()])
    assert torch.allclose(out.logp_T, recorded, atol=1e-4)

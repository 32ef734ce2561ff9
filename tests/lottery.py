"""Problems with a known chance of success, for tests of what is asked and learned from: no model, and nothing to train.

The engine writes six digits that its request's seed decides; the verifier calls them right where they are below the problem's
`p`, which each step of the gold trace that was given raises by its `lift`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from earnest.data.gathering.gatherer import Asking, Gatherer
from earnest.data.gathering.groups import Live, has_signal
from earnest.data.gathering.remedies import Remedies
from earnest.data.rollouts import Roller
from earnest.engines.scripted import Scripted, ScriptedSession
from earnest.models.base import Policy
from earnest.prompts.base import Prompt
from earnest.prompts.chat import Chat
from earnest.sampling.plain import Plain
from earnest.seeding import derive
from earnest.tasks.chain import Chain
from earnest.types import Item, Json, Problem, Request, Sampling, Status, Verdict
from earnest.verifiers.base import Verifier

TASK = Chain(length=5, dev_size=400)


class Lottery(Verifier):
    """Right with the problem's own chance; fails where the problem says so."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> Verdict:
        meta = item.problem.meta
        if meta.get("broken"):
            return Verdict(status=Status.ERROR, correct=None, score=None, reason="broken")
        p, lift = meta["p"], meta.get("lift", 0.0)
        assert isinstance(p, float) and isinstance(lift, float)
        right = int(item.parsed.text[-6:]) / 1e6 < p + lift * item.parsed.text.count(";")
        return Verdict(status=Status.OK, correct=right, score=float(right))


def pool(chances: Sequence[float], **meta: Json) -> list[Problem]:
    """One problem for each chance, with a gold trace of four steps."""
    found = TASK.problems("dev")[: len(chances)]
    assert len(found) == len(chances)
    return [replace(problem, meta={"p": p, **meta}) for problem, p in zip(found, chances, strict=True)]


def session(policy: Policy, *, reverse: bool = False, seed: int = 0) -> ScriptedSession:
    """An engine that draws. What it writes depends on the request's seed and the sample's index alone."""

    def write(request: Request, index: int) -> list[int]:
        digits = f"{derive(seed, request.seed, index) % 10**6:06d}"
        return [*policy.tokenizer.encode(digits, add_special_tokens=False), request.stop_ids[0]]

    return ScriptedSession(policy, Scripted(completions=((0,),), reverse=reverse), write)


def gatherer(
    policy: Policy, problems: Sequence[Problem], *, prompts: int = 8, group_size: int = 8, seed: int = 0, ceiling: float = 1.0,
    prompt: Prompt | None = None, live: Live = has_signal, **remedies: Any,
) -> Gatherer:  # fmt: skip
    asking = Asking(
        prompts_per_step=prompts, group_size=group_size, sampling=Sampling(max_tokens=8), seed=seed,
        error_ceiling=ceiling, remedies=Remedies(**remedies),
    )  # fmt: skip
    roller = Roller(prompt or Chat(), Lottery(), Plain(), policy.tokenizer)
    return Gatherer(problems, roller, asking, live=live, gold=TASK.gold, context=policy.context_length)

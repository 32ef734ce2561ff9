"""Problems in, judged rollouts out: the one place where a model's text meets a verifier, for RL, gates and evaluation alike.

It samples through a strategy, reads completions through the prompt format and grades them. Nothing here trains, counts or
writes files.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from earnest.engines.base import EngineSession
from earnest.prompts.base import Prompt
from earnest.prompts.writing import decode, lengths
from earnest.sampling.base import Strategy
from earnest.seeding import derive
from earnest.types import (
    Completion,
    Finish,
    Group,
    Item,
    Problem,
    Record,
    Request,
    Rollout,
    Sampling,
    Split,
    Status,
    Verdict,
)
from earnest.verifiers.base import Verifier

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds spent on a call to `Roller.collect`."""

    generate: float
    grade: float


@dataclass(frozen=True, slots=True)
class Collected:
    groups: tuple[Group, ...]
    timing: Timing


@dataclass(frozen=True, slots=True)
class Roller:
    """Turns problems into judged groups with one prompt format, verifier and strategy."""

    prompt: Prompt
    verifier: Verifier
    strategy: Strategy
    tokenizer: PreTrainedTokenizerBase

    def collect(
        self,
        problems: Sequence[Problem],
        engine: EngineSession,
        *,
        n: int | Sequence[int],
        sampling: Sampling,
        seed: int,
        forced: Sequence[tuple[int, ...]] | None = None,
    ) -> Collected:
        """n judged rollouts for every problem (a sequence: one number each), groups in the order of the problems.

        seed: each prompt's own is derived from it, its place and its id. forced: token ids that every completion of a problem is
        made to start with; they count as prompt for the engine and as text for the reader.
        """
        started = time.perf_counter()
        stop_ids = self.prompt.stop_ids(self.tokenizer)
        rendered = [self.prompt.render(problem, self.tokenizer) for problem in problems]
        heads = forced if forced is not None else [()] * len(problems)
        sizes = [n] * len(problems) if isinstance(n, int) else n
        requests = [
            Request(
                prompt_ids=(*shown.ids, *head), n=size, sampling=sampling, seed=derive(seed, place, problem.id),
                stop_ids=stop_ids, tag=f"{place}:{problem.id}",
            )
            for place, (problem, shown, head, size) in enumerate(zip(problems, rendered, heads, sizes, strict=True))
        ]  # fmt: skip
        completions: list[list[Completion]] = [[] for _ in problems]
        for completion in self.strategy.sample(requests, engine):
            completions[int(completion.tag.partition(":")[0])].append(completion)
        generated = time.perf_counter()
        items = [
            self._item(problem, completion, head, stop_ids, opened=shown.opened)
            for problem, row, shown, head in zip(problems, completions, rendered, heads, strict=True)
            for completion in sorted(row, key=lambda c: c.index)
        ]
        verdicts = iter(judge(self.verifier, items))
        parsed = iter(items)
        groups = tuple(
            Group(
                problem,
                tuple(
                    _rollout(problem, request.prompt_ids, completion, next(parsed), next(verdicts))
                    for completion in sorted(row, key=lambda c: c.index)
                ),
                given=len(head),
            )
            for problem, row, request, head in zip(problems, completions, requests, heads, strict=True)
        )
        assert [len(group.rollouts) for group in groups] == list(sizes), "the strategy lost or doubled a completion"
        return Collected(groups, Timing(generated - started, time.perf_counter() - generated))

    def regrade(self, groups: Sequence[Group], problems: Sequence[Problem]) -> list[list[Verdict]]:
        """The same texts graded as answers to other problems (one per group): what chance would be paid."""
        items = [
            Item(problem=problem, parsed=r.parsed, truncated=_truncated(r.completion))
            for group, problem in zip(groups, problems, strict=True)
            for r in group.rollouts
        ]
        verdicts = iter(judge(self.verifier, items))
        return [[next(verdicts) for _ in group.rollouts] for group in groups]

    def records(
        self, groups: Sequence[Group], *, stage: str, step: int, split: Split,
        advantages: Sequence[float | None] | None = None,
    ) -> list[Record]:  # fmt: skip
        """The lines that the store keeps of judged groups, in their order.

        advantages: one per rollout; None for one that nothing was learned from.
        """
        rollouts = [(index, rollout, group.given) for group in groups for index, rollout in enumerate(group.rollouts)]
        thought_tokens = lengths([rollout.parsed.thought or "" for _, rollout, _ in rollouts], self.tokenizer)
        given = advantages if advantages is not None else [None] * len(rollouts)
        return [
            replace(_record(rollout, index, length, advantage, stage, step, split), given=given)
            for (index, rollout, given), length, advantage in zip(rollouts, thought_tokens, given, strict=True)
        ]

    def _item(
        self,
        problem: Problem,
        completion: Completion,
        head: tuple[int, ...],
        stop_ids: tuple[int, ...],
        *,
        opened: bool,
    ) -> Item:
        if completion.token_ids is None:
            text = completion.text or ""
        else:
            ids = completion.token_ids
            ids = ids[:-1] if completion.finish is Finish.STOP and ids and ids[-1] in stop_ids else ids
            text = decode([*head, *ids], self.tokenizer)
        return Item(problem=problem, parsed=self.prompt.parse(text, opened=opened), truncated=_truncated(completion))


def judge(verifier: Verifier, items: Sequence[Item]) -> list[Verdict]:
    """The verifier's verdicts; if it crashes, the item it crashed on gets ERROR, which is never a reward."""
    try:
        verdicts = verifier.judge(items)
    except Exception:
        verdicts = [_judge_alone(verifier, item) for item in items]
    assert len(verdicts) == len(items), (
        f"{type(verifier).__name__} returned {len(verdicts)} verdicts for {len(items)} items"
    )
    return verdicts


def _judge_alone(verifier: Verifier, item: Item) -> Verdict:
    try:
        return verifier.judge([item])[0]
    except Exception as error:
        return Verdict(status=Status.ERROR, correct=None, score=None, reason=f"{type(error).__name__}: {error}")


def _truncated(completion: Completion) -> bool:
    return completion.finish is not Finish.STOP


def _rollout(
    problem: Problem, prompt_ids: tuple[int, ...], completion: Completion, item: Item, verdict: Verdict
) -> Rollout:
    parts = {} if verdict.score is None else {"correct": verdict.score}
    return Rollout(
        problem=problem, prompt_ids=prompt_ids, completion=completion, parsed=item.parsed, verdict=verdict,
        reward=verdict.score, reward_parts=parts,
    )  # fmt: skip


def _record(
    rollout: Rollout, index: int, thought_tokens: int, advantage: float | None, stage: str, step: int, split: Split
) -> Record:
    completion, parsed = rollout.completion, rollout.parsed
    drawn = [lp for lp, sampled in zip(completion.logprobs or (), completion.sampled, strict=False) if sampled]
    return Record(
        problem=rollout.problem, index=index, text=parsed.text, thought=parsed.thought,
        answer_text=parsed.answer_text, well_formed=parsed.well_formed and not _truncated(completion),
        tokens=sum(completion.sampled), thought_tokens=thought_tokens, finish=completion.finish,
        policy_version=completion.policy_version, sampling=completion.sampling, verdict=rollout.verdict,
        reward=rollout.reward, stage=stage, step=step, split=split, prompt_ids=rollout.prompt_ids,
        token_ids=completion.token_ids or (), logprob_mean=sum(drawn) / len(drawn) if drawn else None,
        advantage=advantage, reward_parts=rollout.reward_parts,
    )  # fmt: skip


def with_answer(problem: Problem, answer: str | None) -> Problem:
    """The same problem with another gold: what a permutation of golds is made of."""
    return replace(problem, answer=answer)

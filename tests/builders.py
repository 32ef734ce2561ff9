"""Small values that tests are built from: an optimizer step from rewards, and a policy of which everything is known.

`Toy` is a softmax over V symbols given the previous symbol, with a critic per symbol: few enough parameters for finite
differences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from earnest.algorithms.base import Algorithm, Credit, Tokens
from earnest.types import (
    Completion,
    Finish,
    Group,
    Parsed,
    Problem,
    Process,
    Rollout,
    Sampling,
    Status,
    Step,
    Verdict,
)

NAN = float("nan")
EXACT = '''
def exact(completions, answer, **columns):
    """1 where what follows the thought is the answer."""
    return [float(text.rpartition("</think>")[2].strip() == gold) for text, gold in zip(completions, answer)]
'''
"""A user's `rewards.py`."""


def make_rollout(group: int, index: int, reward: float, length: int, finished: bool = True) -> Rollout:
    failed = reward != reward
    verdict = Verdict(
        status=Status.ERROR if failed else Status.OK,
        correct=None if failed else reward >= 1,
        score=None if failed else reward,
    )
    completion = Completion(
        tag=str(group),
        index=index,
        token_ids=tuple(range(length)),
        sampled=(True,) * length,
        logprobs=(-1.0,) * length,
        finish=Finish.STOP if finished else Finish.LENGTH,
        policy_version=0,
        sampling=Sampling(),
    )
    return Rollout(
        problem=Problem(id=str(group), task="toy", prompt="?", answer="!"),
        prompt_ids=(0,),
        completion=completion,
        parsed=Parsed(text="", thought=None, answer_text=None, well_formed=False),
        verdict=verdict,
        reward=None if failed else reward,
        reward_parts={},
    )


def make_step(
    rewards: Sequence[Sequence[float]],
    lengths: Sequence[int] | None = None,
    *,
    finished: Sequence[bool] | None = None,
    logp_T: Tensor | None = None,
    ref_logp_T: Tensor | None = None,
    value_T: Tensor | None = None,
    bootstrap_N: Tensor | None = None,
    penalty_T: Tensor | None = None,
    process: Process | None = None,
) -> Step:
    """One inner sequence per group; nan is a grading error. Left out: length 3, finished, log-probs -1, values 0, no steps."""
    flat = [r for group in rewards for r in group]
    lengths = [3] * len(flat) if lengths is None else list(lengths)
    finished = [True] * len(flat) if finished is None else list(finished)
    size = sum(lengths)
    groups, n = [], 0
    for g, group in enumerate(rewards):
        rows = [make_rollout(g, i, r, lengths[n + i], finished[n + i]) for i, r in enumerate(group)]
        groups.append(Group(rows[0].problem, tuple(rows)))
        n += len(group)
    logp_T = torch.full((size,), -1.0) if logp_T is None else logp_T
    return Step(
        groups=tuple(groups),
        reward_N=torch.tensor(flat),
        group_N=torch.tensor([g for g, group in enumerate(rewards) for _ in group]),
        length_N=torch.tensor(lengths),
        finished_N=torch.tensor(finished),
        sampler_logp_T=logp_T,
        value_T=torch.zeros(size) if value_T is None else value_T,
        bootstrap_N=torch.zeros(len(flat)) if bootstrap_N is None else bootstrap_N,
        ref_logp_T=logp_T if ref_logp_T is None else ref_logp_T,
        penalty_T=penalty_T,
        process=process,
    )


def make_process(score: Sequence[Sequence[float]], ends: Sequence[Sequence[int]]) -> Process:
    """One inner sequence per rollout: the scores of its steps, and how many of its tokens stand before the end of each."""
    return Process(
        score_K=torch.tensor([s for row in score for s in row]),
        rollout_K=torch.tensor([i for i, row in enumerate(score) for _ in row]),
        tokens_K=torch.tensor([end for row in ends for end in row]),
    )


def permuted(step: Step, order_N: Sequence[int]) -> Step:
    """The same rollouts in another order (or only some of them); groups must stay ascending."""
    order = torch.tensor(order_N)
    spans = step.length_N.split(1)
    ends = step.length_N.cumsum(0)
    index_T = torch.cat([torch.arange(int(ends[i] - spans[i]), int(ends[i])) for i in order_N])
    rollouts = [r for group in step.groups for r in group.rollouts]
    group_N = step.group_N[order].unique_consecutive(return_inverse=True)[1]
    groups = [[rollouts[i] for i, g in zip(order_N, group_N.tolist(), strict=True) if g == k] for k in group_N.unique()]
    tensors = {
        name: value[index_T if name.endswith("_T") else order]
        for name in (
            "reward_N",
            "length_N",
            "finished_N",
            "bootstrap_N",
            "sampler_logp_T",
            "value_T",
            "ref_logp_T",
            "penalty_T",
        )
        if (value := getattr(step, name)) is not None
    }
    if (process := step.process) is not None:
        kept = [(process.rollout_K == i).nonzero().flatten() for i in order_N]
        at_K = torch.cat(kept)
        rollout_K = torch.tensor([place for place, own in enumerate(kept) for _ in own])
        process = Process(score_K=process.score_K[at_K], rollout_K=rollout_K, tokens_K=process.tokens_K[at_K])
    made = tuple(Group(g[0].problem, tuple(g)) for g in groups)
    return replace(step, groups=made, group_N=group_N, process=process, **tensors)


def tokens_of(step: Step, i_N: Sequence[int]) -> Tensor:
    """Positions in (T,) of the tokens of the given rollouts."""
    ends = step.length_N.cumsum(0).tolist()
    return torch.cat([torch.arange(ends[i] - int(step.length_N[i]), ends[i]) for i in i_N])


@dataclass
class Toy:
    """Parameters of the toy policy and critic, and one step's rollouts as (previous symbol, symbol) pairs."""

    logits: Tensor  # (V, V), row: previous symbol
    critic: Tensor  # (V,)
    previous_T: Tensor
    symbol_T: Tensor

    @classmethod
    def make(cls, size: int, seed: int = 0, symbols: int = 3) -> Toy:
        g = torch.Generator().manual_seed(seed)
        logits = torch.randn(symbols, symbols, generator=g, dtype=torch.float64)
        critic = torch.randn(symbols, generator=g, dtype=torch.float64) * 0.1
        previous, symbol = torch.randint(0, symbols, (2, size), generator=g)
        return cls(logits.requires_grad_(), critic.requires_grad_(), previous, symbol)

    def logp(self) -> Tensor:
        return self.logits.log_softmax(-1)[self.previous_T, self.symbol_T]

    def entropies(self) -> Tensor:
        table = self.logits.log_softmax(-1)
        return -(table.exp() * table).sum(-1)[self.previous_T]

    def values(self) -> Tensor:
        return self.critic[self.previous_T]

    def tokens(
        self,
        algorithm: Algorithm,
        step: Step,
        credit: Credit,
        *,
        old_logp_T: Tensor,
        i_N: Sequence[int] | None = None,
    ) -> Tokens:
        """A micro-batch: rollouts i_N (None: all) under the present parameters."""
        i_N = range(len(step.length_N)) if i_N is None else i_N
        at = tokens_of(step, i_N)
        return Tokens(
            logp_T=self.logp()[at],
            old_logp_T=old_logp_T[at],
            adv_T=credit.advantage_T[at],
            seq_T=torch.repeat_interleave(torch.arange(len(i_N)), step.length_N[list(i_N)]),
            sequences=len(i_N),
            entropy_T=self.entropies()[at] if "entropy" in algorithm.stats else None,
            value_T=self.values()[at] if "critic" in algorithm.needs else None,
            old_value_T=None if step.value_T is None else step.value_T[at],
            return_T=None if credit.return_T is None else credit.return_T[at],
        )

    def loss(
        self,
        algorithm: Algorithm,
        step: Step,
        credit: Credit,
        weight_N: Tensor,
        *,
        old_logp_T: Tensor,
        i_N: Sequence[int] | None = None,
        critic: bool = True,
    ) -> Tensor:
        """A micro-batch's share of the step's loss, with the weights of the whole step."""
        t = self.tokens(algorithm, step, credit, old_logp_T=old_logp_T, i_N=i_N)
        loss = algorithm.token_loss(t)
        total_T = loss.policy_T if loss.value_T is None or not critic else loss.policy_T + loss.value_T
        weight_S = weight_N if i_N is None else weight_N[list(i_N)]
        return (weight_S.double()[t.seq_T] * total_T).sum()

    def gradient(self, loss: Tensor) -> Tensor:
        grads = torch.autograd.grad(loss, [self.logits, self.critic], allow_unused=True, retain_graph=True)
        shapes = (self.logits, self.critic)
        return torch.cat(
            [(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(shapes, grads, strict=True)]
        )

    def differences(self, value: Callable[[], Tensor], h: float = 1e-6) -> Tensor:
        """The gradient of a value in all parameters, as `gradient` has it, by finite differences."""
        found: list[float] = []
        for table in (self.logits, self.critic):
            flat = table.data.view(-1)
            for i in range(len(flat)):
                kept = float(flat[i])
                flat[i] = kept + h
                above = value().item()
                flat[i] = kept - h
                below = value().item()
                flat[i] = kept
                found.append((above - below) / (2 * h))
        return torch.tensor(found, dtype=torch.float64)

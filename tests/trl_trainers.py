"""Judged groups that our planner and TRL's trainers are given alike, and what each makes of them: a loss and a gradient.

TRL's side is its own trainer on a CPU. Only its sampling is replaced, by the completions that are given; rewards, advantages,
old and reference log-probs, corrections and the loss are its own code. Ours goes the way of the `rl` stage.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from builders import NAN, make_rollout
from earnest.algorithms.base import Algorithm
from earnest.component import build
from earnest.data.reading import read_tokens
from earnest.data.samples import plain_sample
from earnest.models.base import Policy
from earnest.train.losses import PolicyGradient
from earnest.train.mismatch import Mismatch
from earnest.train.reference import Reference
from earnest.train.step import accumulate
from earnest.train.updates import Entropy, Learning, Planner
from earnest.types import Finish, Group
from policies import policy_of

PROMPTS = ((50, 51, 52), (60, 61), (70, 71, 72, 73, 74))
LENGTHS = ((3, 8, 1, 5), (4, 4, 2, 6), (7, 2, 8, 3))
REWARDS = ((1.0, 0.0, 0.5, 0.0), (1.0, 1.0, 1.0, 1.0), (0.0, NAN, 1.0, 0.25))
"""A live group, one without a signal, and one with a completion that could not be graded."""
TOKENS, MOST = sum(map(sum, LENGTHS)), 8
DRIFT, AWAY = (6, 0.04), (2, 0.03)  # seed and size of what the weights move: by the second update; to the reference


@dataclass(frozen=True, slots=True)
class Pull:
    """What one update's rollouts ask of the weights."""

    loss: float
    grads: dict[str, Tensor]

    @property
    def largest(self) -> float:
        return max(g.abs().max().item() for g in self.grads.values())

    def distance(self, other: Pull) -> float:
        """The largest difference of a weight's gradient, over the other's largest gradient."""
        assert self.grads.keys() == other.grads.keys()
        return max((g - other.grads[n]).abs().max().item() for n, g in self.grads.items()) / other.largest


def assert_same(ours: Pull, theirs: Pull, *, value: bool = True) -> None:
    """Gradients of all weights, to 1e-4 of each and 1e-5 of the largest, and the losses."""
    assert theirs.largest > 1e-2
    assert ours.distance(theirs) < 1e-5
    for name, gradient in theirs.grads.items():
        torch.testing.assert_close(ours.grads[name], gradient, rtol=1e-4, atol=1e-5 * theirs.largest)
    if value:
        assert abs(ours.loss - theirs.loss) <= 1e-4 * abs(theirs.loss) + 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The same settings in both worlds."""

    theirs: dict[str, Any]
    ours: dict[str, Any]
    updates: Literal[1, 2] = 2  # 1: the rollouts' first update, ratio 1. 2: the second, after the weights have moved
    temperature: float = 1.0
    entropy: Entropy = field(default_factory=Entropy)
    mismatch: Mismatch = field(default_factory=Mismatch)
    sampler_error: float = 0.0  # spread of what the sampler's log-probs are off by
    cut: tuple[int, ...] | None = None  # of each group, these were cut, and all others end with <eos>
    count_truncated: bool = True  # where some were cut
    value: bool = True  # whether the losses are to be the same, not the gradients alone


def fresh_policy() -> Policy:
    return policy_of("llama")


def move(module: nn.Module, seed: int, scale: float) -> None:
    """As an update would: the same for modules of the same parameters."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, parameter in module.named_parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=g))


def judged(policy: Policy, case: Case) -> list[Group]:
    """PROMPTS, answered and graded. Log-probs are the policy's, up to the sampler's error."""
    eos = policy.tokenizer.eos_token_id
    g = torch.Generator().manual_seed(0)
    groups = []
    for number, (prompt, lengths, rewards) in enumerate(zip(PROMPTS, LENGTHS, REWARDS, strict=True)):
        rollouts = []
        for i, (length, reward) in enumerate(zip(lengths, rewards, strict=True)):
            made = make_rollout(number, i, reward, length)
            ids = tuple(torch.randint(40, 90, (length,), generator=g).tolist())
            finish = Finish.LENGTH if case.cut and i in case.cut else Finish.STOP
            ids = ids if case.cut is None or i in case.cut else (*ids[:-1], eos)
            made = replace(made, prompt_ids=prompt, completion=replace(made.completion, token_ids=ids, finish=finish))
            logp_T = read_tokens(policy, [plain_sample(made)], 4096, case.temperature, lambda _, f: f.logp_T)
            logp_T = logp_T + case.sampler_error * torch.randn(length, generator=g)
            rollouts.append(replace(made, completion=replace(made.completion, logprobs=tuple(logp_T.tolist()))))
        groups.append(Group(rollouts[0].problem, tuple(rollouts)))
    return groups


def our_pull(case: Case, *, max_tokens: int = 4096) -> Pull:
    policy = fresh_policy()
    groups = judged(policy, case)
    algorithm: Algorithm = build("algorithm", case.ours).with_max_tokens(MOST)
    reference = None
    if "reference" in algorithm.needs:
        reference = Reference(copy.deepcopy(policy), algorithm.kl)
        move(reference.policy.module, *AWAY)
    learning = Learning(
        seed=0, temperature=case.temperature, max_tokens=max_tokens, epochs=case.updates, entropy=case.entropy,
        mask_truncated=case.cut is not None, count_truncated=case.cut is not None and case.count_truncated,
    )  # fmt: skip
    plan = Planner(policy, algorithm, learning, reference=reference).plan(groups, 0)
    if case.updates == 2:
        move(policy.module, *DRIFT)
    with_entropy = case.entropy.bonus > 0
    loss = PolicyGradient(algorithm, case.temperature, mismatch=case.mismatch, with_entropy=with_entropy)
    found = accumulate(policy, loss, plan.updates[-1], max_tokens)
    return Pull(found.loss, {n: p.grad.clone() for n, p in policy.parameters() if p.grad is not None})


def trainer_of(kind: Literal["GRPO", "RLOO"], folder: Path, case: Case, micro_batches: int = 1) -> Any:
    """TRL's trainer of this case, which will sample what `judged` gives."""
    import trl
    from datasets import Dataset

    policy = fresh_policy()
    policy.save(folder / "model")
    groups = judged(policy, case)
    rollouts = [r for group in groups for r in group.rollouts]
    rows = [{"prompt": r.problem.id, "reward": r.reward} for r in rollouts]

    def graded(prompts: Any, completions: Any, reward: list[float | None], **columns: Any) -> list[float | None]:
        return reward

    config = getattr(trl, f"{kind}Config")(
        output_dir=str(folder / "out"), per_device_train_batch_size=len(rollouts) // micro_batches,
        gradient_accumulation_steps=micro_batches, num_generations=len(LENGTHS[0]), num_iterations=case.updates,
        max_completion_length=MOST, temperature=case.temperature, use_cpu=True, bf16=False, gradient_checkpointing=False,
        mask_truncated_completions=case.cut is not None, report_to=[], model_init_kwargs={"dtype": "float32"}, **case.theirs,
    )  # fmt: skip
    trainer = getattr(trl, f"{kind}Trainer")(
        model=str(folder / "model"), reward_funcs=graded, args=config, train_dataset=Dataset.from_list(rows)
    )
    trainer.model.train()  # its divisor for accumulation is that of training; there is no dropout
    trainer.current_gradient_accumulation_steps = micro_batches
    trainer.use_vllm = (
        case.sampler_error > 0
    )  # the corrections are for vLLM alone, and made from the log-probs of `_generate`
    if trainer.ref_model is not None:
        move(trainer.ref_model, *AWAY)
    prompts, ids = (
        [list(x) for x in part]
        for part in zip(*((r.prompt_ids, r.completion.token_ids) for r in rollouts), strict=True)
    )
    logps = [list(r.completion.logprobs or ()) for r in rollouts] if trainer.use_vllm else None
    texts = [""] * len(rollouts)
    found = (prompts, ids, None, texts, logps, {}, None, None) if kind == "GRPO" else (prompts, ids, texts)
    trainer._generate = lambda _: found
    trainer.rows = rows
    return trainer


def their_pull(trainer: Any, case: Case, micro_batches: int = 1) -> Pull:
    batch = trainer._generate_and_score_completions(trainer.rows)
    if case.updates == 2:
        move(trainer.model, *DRIFT)
    total, size = 0.0, len(trainer.rows) // micro_batches
    for start in range(0, len(trainer.rows), size):
        part = {n: x if x.dim() == 0 else x[start : start + size] for n, x in batch.items()}
        loss = trainer._compute_loss(trainer.model, part)
        loss.backward()
        total += loss.item()
    return Pull(total, {n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None})

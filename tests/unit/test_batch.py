"""Packing and splitting: what is trained, and that no way of splitting it changes the gradient."""

from __future__ import annotations

import copy

import pytest
import torch

from earnest.algorithms.grpo import GRPO
from earnest.algorithms.kl import KL
from earnest.data.batch import pack, split
from earnest.data.reading import read_ends, read_tokens
from earnest.data.samples import Shares, demonstrations, from_step, to_step
from earnest.models.base import Policy
from earnest.train.losses import Loss, NegativeLogLikelihood, PolicyGradient
from earnest.train.step import accumulate
from earnest.types import Completion, Finish, Group, Parsed, Problem, Rollout, Sample, Sampling, Status, Verdict

CPU = torch.device("cpu")


def pairs() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [((51, 43, 55), (49, 257)), ((50,), (49, 50, 51, 52, 257)), ((53, 43), (257,)), ((49, 50), (48, 48, 257))]


def groups() -> list[Group]:
    """Two groups of three with mixed rewards, one rollout whose grading failed, and an inserted token."""
    made: list[Group] = []
    rewards = [[1.0, 0.0, None], [0.0, 1.0, 1.0]]
    for g, row in enumerate(rewards):
        problem = Problem(id=str(g), task="t", prompt=f"p{g}", answer="1")
        rollouts: list[Rollout] = []
        for i, reward in enumerate(row):
            ids = (*range(48, 50 + i + g), 257)
            sampled = tuple(not (g == 1 and i == 0 and t == 1) for t in range(len(ids)))
            status = Status.ERROR if reward is None else Status.OK
            rollouts.append(
                Rollout(
                    problem=problem, prompt_ids=(51, 43, 55)[: g + 2],
                    completion=Completion(
                        tag=str(g), index=i, token_ids=ids, sampled=sampled, logprobs=tuple(-0.1 * t for t in range(len(ids))),
                        finish=Finish.STOP, policy_version=0, sampling=Sampling(),
                    ),
                    parsed=Parsed(text="", thought=None, answer_text=None, well_formed=False),
                    verdict=Verdict(status=status, correct=None if reward is None else reward == 1.0, score=reward),
                    reward=reward, reward_parts={},
                )
            )  # fmt: skip
        made.append(Group(problem, tuple(rollouts)))
    return made


def rl_samples() -> list[Sample]:
    algorithm = GRPO(kl=KL())
    step = to_step(groups())
    credit = algorithm.credit(step)
    return from_step(step, credit, Shares(algorithm.weights(step.length_N, step.group_N, credit.live_N)))


def gradient(policy: Policy, loss: Loss, samples: list[Sample], max_tokens: int) -> torch.Tensor:
    for _, parameter in policy.parameters():
        parameter.grad = None
    accumulate(policy, loss, samples, max_tokens)
    return torch.cat([p.grad.flatten() for _, p in policy.parameters() if p.grad is not None])


def test_packing_by_hand() -> None:
    batch = pack(demonstrations(pairs()[:2]), CPU)
    assert batch.cu_seqlens.tolist() == [0, 5, 11]
    assert batch.ids_L[batch.index_T].tolist() == [49, 257, 49, 50, 51, 52, 257]
    assert batch.seq_T.tolist() == [0, 0, 1, 1, 1, 1, 1]
    assert batch.seq_sum(torch.ones(7)).tolist() == [2.0, 5.0]
    assert batch.seq_mean(torch.arange(7.0)).tolist() == [0.5, 4.0]
    assert torch.allclose(batch.weight_T, torch.full((7,), 1 / 7))


def test_the_stop_token_is_trained_and_the_prompt_is_not() -> None:
    for sample, (prompt, completion) in zip(demonstrations(pairs()), pairs(), strict=True):
        trained = [i for i, m in zip(sample.token_ids, sample.mask, strict=True) if m]
        assert tuple(trained) == completion and trained[-1] == 257
        assert sample.token_ids[: len(prompt)] == prompt and not any(sample.mask[: len(prompt)])


def test_what_was_inserted_is_attended_to_and_never_trained() -> None:
    sample = next(s for s in rl_samples() if s.token_ids[:3] == (51, 43, 55) and len(s.token_ids) == 7)
    assert sample.mask == (False, False, False, True, False, True, True)
    assert sample.sampler_logprobs is not None
    assert torch.allclose(sample.sampler_logprobs, torch.tensor([0.0, -0.2, -0.3]))


def test_a_rollout_whose_grading_failed_is_not_trained_on() -> None:
    assert len(rl_samples()) == 5


@pytest.mark.parametrize("kind", ["nll", "grpo"])
def test_the_gradient_does_not_depend_on_micro_batches_or_order(tiny_policy: Policy, kind: str) -> None:
    policy = copy.deepcopy(tiny_policy)
    loss = NegativeLogLikelihood() if kind == "nll" else PolicyGradient(GRPO(kl=KL()), 1.0)
    samples = demonstrations(pairs()) if kind == "nll" else rl_samples()
    whole = gradient(policy, loss, samples, 10_000)
    assert whole.abs().max() > 1e-4
    for max_tokens in (1, 12, 20):
        assert len(split(samples, max_tokens)) > 1
        assert torch.allclose(gradient(policy, loss, samples, max_tokens), whole, atol=1e-6)
    assert torch.allclose(gradient(policy, loss, samples[::-1], 12), whole, atol=1e-6)


def test_splitting_loses_nothing_and_keeps_to_the_budget() -> None:
    samples = demonstrations(pairs())
    parts = split(samples, 12)
    assert sorted(id(s) for part in parts for s in part) == sorted(id(s) for s in samples)
    assert all(len(part) == 1 or len(part) * max(len(s.token_ids) for s in part) <= 12 for part in parts)


def test_readings_come_back_in_the_order_of_the_samples(tiny_policy: Policy) -> None:
    samples = demonstrations(pairs())
    whole = read_tokens(tiny_policy, samples, 10_000, 1.0, lambda _, f: f.logp_T)
    alone = torch.cat([read_tokens(tiny_policy, [s], 10_000, 1.0, lambda _, f: f.logp_T) for s in samples])
    assert torch.allclose(whole, alone, atol=1e-5)
    assert torch.allclose(read_tokens(tiny_policy, samples, 8, 1.0, lambda _, f: f.logp_T), alone, atol=1e-5)
    ends = read_ends(samples, 8, CPU, lambda b: tiny_policy.final_hidden(b).sum(-1))
    each = torch.cat([read_ends([s], 8, CPU, lambda b: tiny_policy.final_hidden(b).sum(-1)) for s in samples])
    assert torch.allclose(ends, each, atol=1e-4) and len(set(ends.tolist())) == 4

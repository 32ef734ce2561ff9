"""The example that imports nothing of ours and the library compute the same gradient on the same rollouts."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import pytest
import torch

from builders import make_step
from earnest.algorithms.base import Tokens
from earnest.algorithms.grpo import GRPO
from earnest.algorithms.kl import KL
from earnest.data.samples import Shares, from_step, to_step
from earnest.models.base import Policy
from earnest.models.tiny import byte_tokenizer
from earnest.train.losses import PolicyGradient
from earnest.train.step import accumulate
from earnest.types import Completion, Finish, Group, Parsed, Problem, Rollout, Sampling, Status, Verdict

EXAMPLE = Path(__file__).parents[2] / "examples" / "grpo_in_200_lines.py"
REWARDS = [[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]]


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("grpo_in_200_lines", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rollouts(example: ModuleType) -> tuple[list[list[int]], list[list[int]]]:
    rng = random.Random(0)
    chains = [chain for chain in (example.make_problem(rng) for _ in REWARDS) for _ in range(4)]
    completions = [[rng.randrange(1, len(example.SYMBOLS)) for _ in range(rng.randint(1, 14))] for _ in chains]
    return [example.prompt(chain) for chain in chains], completions


def test_gradient_of_the_example_is_the_librarys(example: ModuleType) -> None:
    model = example.make_model(seed=0)
    prompts, completions = rollouts(example)
    found = example.grpo_gradient(model, prompts, completions, torch.tensor(REWARDS).flatten(), size=4)

    algorithm = GRPO(aggregation="token", clip_high=0.28, kl=KL())
    logp, mask = example.completion_logprobs(model, prompts, completions)
    logp_T, seq_T = logp[mask], mask.nonzero()[:, 0]
    step = make_step(REWARDS, mask.sum(dim=1).tolist())
    credit = algorithm.credit(step)
    weight_N = algorithm.weights(step.length_N, step.group_N, credit.live_N)
    loss = algorithm.token_loss(Tokens(logp_T, logp_T.detach(), credit.advantage_T, seq_T, sequences=len(prompts)))
    expected = torch.autograd.grad((weight_N[seq_T] * loss.policy_T).sum(), list(model.parameters()))
    assert max(g.abs().max() for g in expected) > 1e-3
    for name, gradient in zip(found, expected, strict=True):
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-7, msg=name)


def test_clip_of_the_example_is_the_librarys(example: ModuleType) -> None:
    g = torch.Generator().manual_seed(0)
    old_logp, shift = -torch.rand(4, 5, generator=g), 0.6 * torch.randn(4, 5, generator=g)
    mask, advantage_N = torch.ones(4, 5, dtype=torch.bool), torch.tensor([1.0, -1.0, 0.5, -2.0])
    tokens = Tokens(
        (old_logp + shift).flatten(), old_logp.flatten(), advantage_N.repeat_interleave(5),
        torch.arange(4).repeat_interleave(5), sequences=4,
    )  # fmt: skip
    loss = GRPO(aggregation="token", clip_high=0.28, kl=KL()).token_loss(tokens)
    assert all(loss.metrics[f"clip_ratio/{side}_mean"].any() for side in ("low", "high"))
    torch.testing.assert_close(example.grpo_loss(old_logp + shift, old_logp, mask, advantage_N), loss.policy_T.mean())


def test_the_verifier_of_the_example(example: ModuleType) -> None:
    chain = [3, 7, 2, 9]
    for text, right in [(">1.", 1), ("7=0,2=2,9=1>1.", 1), (">1", 0), (">1>1.", 0), (">2.", 0), (">11.", 0), ("1.", 0)]:
        assert example.reward(chain, example.encode(text)) == right, text
    assert example.decode(example.demonstration(chain, True)) == "7=0,2=2,9=1>1."


def test_the_example_stands_alone_and_fits_its_name() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 200
    assert "earnest" not in text


def test_the_whole_path_of_the_library_ends_in_the_same_gradient(example: ModuleType) -> None:
    """Rollouts to a step, credit, samples, micro-batches, the policy's own forward pass: nothing on the way changes it."""
    model = example.make_model(seed=0)
    prompts, completions = rollouts(example)
    found = example.grpo_gradient(model, prompts, completions, torch.tensor(REWARDS).flatten(), size=4)

    policy = Policy(example.make_model(seed=0), byte_tokenizer(64))
    algorithm = GRPO(aggregation="token", clip_high=0.28, kl=KL())
    step = to_step(judged(prompts, completions))
    credit = algorithm.credit(step)
    samples = from_step(step, credit, Shares(algorithm.weights(step.length_N, step.group_N, credit.live_N)))
    assert len(samples) == 8, "the group of equal rewards has no gradient and is left out"
    accumulate(policy, PolicyGradient(algorithm, 1.0), samples, max_tokens=60)
    assert max(g.abs().max() for g in found.values()) > 1e-3
    for name, parameter in policy.parameters():
        torch.testing.assert_close(parameter.grad, found[name], rtol=1e-4, atol=1e-7, msg=name)


def judged(prompts: list[list[int]], completions: list[list[int]]) -> list[Group]:
    """The rollouts as the library holds them, four to a group."""
    groups: list[Group] = []
    for g, rewards in enumerate(REWARDS):
        problem = Problem(id=str(g), task="example", prompt=str(g), answer="")
        rows = list(zip(prompts, completions, strict=True))[4 * g : 4 * g + 4]
        groups.append(Group(problem, tuple(rollout(problem, i, *row, rewards[i]) for i, row in enumerate(rows))))
    return groups


def rollout(problem: Problem, index: int, prompt: list[int], completion: list[int], reward: float) -> Rollout:
    return Rollout(
        problem=problem, prompt_ids=tuple(prompt), reward=reward, reward_parts={},
        completion=Completion(
            tag=problem.id, index=index, token_ids=tuple(completion), sampled=(True,) * len(completion),
            logprobs=(0.0,) * len(completion), finish=Finish.STOP, policy_version=0, sampling=Sampling(),
        ),
        parsed=Parsed(text="", thought=None, answer_text=None, well_formed=False),
        verdict=Verdict(status=Status.OK, correct=reward == 1.0, score=reward),
    )  # fmt: skip

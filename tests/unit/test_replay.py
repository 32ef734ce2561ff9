"""Replay beside reinforcement learning: which demonstrations a step has, and that its gradient is exactly the sum of both."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from earnest.component import KeyedConfigError, build
from earnest.data.samples import demonstrations
from earnest.models.base import Forward, Policy
from earnest.prompts.plain import Plain as PlainPrompt
from earnest.runlog import StageLog
from earnest.stages.rl import Rl
from earnest.tasks.base import Task
from earnest.tasks.clusters import normalised
from earnest.train.demonstrations import Pool
from earnest.train.health import Health
from earnest.train.loop import Job, Source, StopRequest, Work, train
from earnest.train.losses import Cost, Loss, NegativeLogLikelihood
from earnest.train.optim import Optim
from earnest.train.replay import Replay
from earnest.train.step import accumulate
from earnest.types import Batch, Sample

SKILLS: Task = build("task", "skills")
CHAIN: Task = build("task", {"name": "chain", "length": 3, "dev_size": 20, "test_size": 40})


@pytest.fixture
def policy(tiny_policy: Policy) -> Policy:
    return copy.deepcopy(tiny_policy)


def pool(policy: Policy, task: Task = SKILLS, *, context: int = 256, held_out: frozenset[str] = frozenset()) -> Pool:
    return Pool(task, PlainPrompt(), policy.tokenizer, 7, context, held_out)


def ids(samples: Sequence[Sample]) -> list[tuple[int, ...]]:
    return [sample.token_ids for sample in samples]


def test_a_step_has_its_own_demonstrations_whatever_was_asked_before(policy: Policy) -> None:
    replay, other = Replay(pool(policy), 4, 0.5), Replay(pool(policy), 4, 0.5)
    steps = [ids(replay.at(step).samples) for step in range(6)]
    assert [ids(other.at(step).samples) for step in (5, 0, 3)] == [steps[5], steps[0], steps[3]]
    taken = pool(policy).take(24, "as_is")
    assert [s for step in steps for s in step] == [(*prompt, *done) for prompt, done in taken]


def test_the_weights_of_a_step_add_up_to_its_weight_however_long_the_demonstrations(policy: Policy) -> None:
    for examples, weight in ((1, 0.1), (16, 2.0)):
        samples = Replay(pool(policy), examples, weight).at(3).samples
        assert len(samples) == examples and len({s.weight for s in samples}) == 1
        assert math.isclose(sum(s.weight * sum(s.mask) for s in samples), weight)


def test_a_mixture_is_replayed_in_its_shares(policy: Policy) -> None:
    mix = build("task", {"name": "mix", "of": [{"use": "chain", "weight": 3}, "skills"]})
    chars = {step: [policy.tokenizer.decode(list(i)) for i in ids(Replay(pool(policy, mix), 8, 1.0).at(step).samples)]
             for step in (0, 1, 9)}  # fmt: skip
    for texts in chars.values():
        assert sum(text.index("=") == 9 and text[0].isdigit() for text in texts) == 6, texts  # chains of five digits


def test_what_cannot_be_used_is_passed_over_and_a_step_is_still_its_own(policy: Policy) -> None:
    longest = max(len(i) for step in range(8) for i in ids(Replay(pool(policy), 4, 1.0).at(step).samples))
    short = [Replay(pool(policy, context=longest - 2), 4, 1.0) for _ in range(2)]
    found = [ids(short[0].at(step).samples) for step in range(8)]
    assert all(len(step) == 4 and max(map(len, step)) <= longest - 2 for step in found)
    assert short[0].pool.overlong > 0 and ids(short[1].at(6).samples) == found[6]


def test_demonstrations_that_an_evaluation_asks_are_counted(policy: Policy) -> None:
    order = pool(policy).order
    first = SKILLS.problems("train")[order.take(1)[0]]
    replay = Replay(pool(policy, held_out=frozenset({normalised(first.question)})), 4, 1.0)
    assert replay.at(0).held_out >= 1
    assert replay.at(0).held_out == replay.at(0).held_out


class Given(Source):
    """The same work at every step."""

    def __init__(self, work: Work) -> None:
        self.given = work

    def work(self, step: int) -> Work:
        return self.given


class Half(Loss):
    """A loss of its own kind, so that the two parts of a step cannot be mistaken for each other."""

    def __call__(self, batch: Batch, forward: Forward) -> Cost:
        return Cost((batch.weight_T * 0.5 * forward.logp_T.exp()).sum())


def gradients(policy: Policy) -> torch.Tensor:
    found = torch.cat([p.grad.flatten() for _, p in policy.parameters() if p.grad is not None]).clone()
    for _, p in policy.parameters():
        p.grad = None
    return found


def row_of(
    policy: Policy, work: Work, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[torch.Tensor, Mapping[str, Any]]:
    """The gradient that the loop's optimizer saw in a step's first update, and the step's metrics."""
    import earnest.train.loop as loop

    seen: list[torch.Tensor] = []
    original = loop.update

    def watched(policy: Policy, *rest: Any, **named: Any) -> Any:
        seen.append(torch.cat([p.grad.flatten() for _, p in policy.parameters() if p.grad is not None]).clone())
        return original(policy, *rest, **named)

    monkeypatch.setattr(loop, "update", watched)
    train(Job(
        name="stage", policy=policy, source=Given(work), loss=Half(), optim=Optim(lr=1e-3), steps=1, log=StageLog(folder),
        stop=StopRequest(), echo=lambda line: None, max_tokens=64, checkpoint_every=9, log_every=9, health=Health(),
    ))  # fmt: skip
    monkeypatch.setattr(loop, "update", original)
    (row,) = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert len(seen) == len(work.updates)
    return seen[0] if seen else torch.zeros(0), row


def test_the_gradient_of_a_step_is_exactly_the_sum_of_both(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [replace(s, weight=0.01) for s in demonstrations(pool(policy, CHAIN).take(5, "as_is"))]
    replayed = Replay(pool(policy), 6, 0.3).at(2).samples
    accumulate(policy, Half(), own, 64)
    alone = gradients(policy)
    told = accumulate(policy, NegativeLogLikelihood(), replayed, 64)
    beside = gradients(policy)
    both, row = row_of(copy.deepcopy(policy), Work([own], supervised=replayed), tmp_path / "both", monkeypatch)
    assert beside.norm() > 1e-3 and alone.norm() > 1e-6
    torch.testing.assert_close(both, alone + beside, rtol=1e-5, atol=1e-7)
    mean = told.loss / 0.3  # a mean negative log-likelihood: that of bytes under fresh weights is near log 256
    assert row["loss/replay"] == told.loss and 3 < mean < 8
    without, plain = row_of(copy.deepcopy(policy), Work([own]), tmp_path / "alone", monkeypatch)
    torch.testing.assert_close(without, alone)
    assert "loss/replay" not in plain and row["loss"] == plain["loss"]
    twice, _ = row_of(copy.deepcopy(policy), Work([own, own], supervised=replayed), tmp_path / "twice", monkeypatch)
    torch.testing.assert_close(twice, both)
    critic = Work([own], heads_only=True, supervised=replayed)  # in which the policy stays as it is
    assert "loss/replay" not in row_of(copy.deepcopy(policy), critic, tmp_path / "critic", monkeypatch)[1]


def test_a_step_without_a_signal_replays_nothing(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AdamW would take a step of full size for the demonstrations alone: the stage would turn into fine-tuning."""
    replayed = Replay(pool(policy), 4, 0.3).at(0).samples
    before = torch.cat([p.detach().flatten() for _, p in policy.parameters()]).clone()
    _, row = row_of(policy, Work([], supervised=replayed), tmp_path, monkeypatch)
    assert row["update/taken"] == 0.0 and "loss/replay" not in row
    assert torch.equal(before, torch.cat([p.detach().flatten() for _, p in policy.parameters()]))


def stage(**fields: Any) -> Rl:
    return build("stage", {"name": "rl", "id": "rl", "steps": 1, "lr": 1e-3, **fields})


def test_the_stage_reads_what_it_replays() -> None:
    found = stage(replay={"task": "skills", "prompt": "plain"}).reads(CHAIN)
    assert [(r.task.name, r.split, r.trains) for r in found] == [
        ("chain", "train", True), ("chain", "dev", False), ("skills", "train", True)
    ]  # fmt: skip
    last = found[-1]
    assert last.prompt == PlainPrompt() and last.verifier is not None and last.verifier.name == "string"
    with pytest.raises(KeyedConfigError, match="'prompt' is missing"):
        stage(replay={"task": "skills"})
    with pytest.raises(KeyedConfigError, match="greater than 0"):
        stage(replay={"task": "skills", "prompt": "plain", "weight": 0})


def test_replay_keeps_a_skill_that_another_gradient_destroys(policy: Policy, tmp_path: Path) -> None:
    """Gradient steps that push the skill's own tokens down, with and without replay: with it the skill stays far likelier."""
    skill = demonstrations(pool(policy).take(24, "as_is"))
    train(job_of(policy, Given(Work([skill])), NegativeLogLikelihood(), tmp_path / "skill", 30))

    def nll(policy: Policy) -> float:
        found = accumulate(policy, NegativeLogLikelihood(), skill, 4096).loss
        gradients(policy)
        return found

    start = nll(policy)
    against = Work([[replace(s, weight=s.weight * 0.2) for s in skill]])
    alone, kept = copy.deepcopy(policy), copy.deepcopy(policy)
    train(job_of(alone, Given(against), Against(), tmp_path / "alone", 15))
    train(job_of(kept, Given(replace(against, supervised=skill)), Against(), tmp_path / "kept", 15))
    assert nll(kept) < start + 0.1 < start + 1.0 < nll(alone), (start, nll(kept), nll(alone))


class Against(Loss):
    """Makes what it is shown less likely."""

    def __call__(self, batch: Batch, forward: Forward) -> Cost:
        return Cost((batch.weight_T * forward.logp_T).sum())


def job_of(policy: Policy, source: Source, loss: Loss, folder: Path, steps: int) -> Job:
    return Job(
        name="stage", policy=policy, source=source, loss=loss, optim=Optim(lr=3e-3), steps=steps, log=StageLog(folder),
        stop=StopRequest(), echo=lambda line: None, max_tokens=4096, checkpoint_every=99, log_every=99, health=Health(),
    )  # fmt: skip

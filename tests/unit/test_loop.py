"""The training loop: what a step changes, what it refuses to change, and what it says about it."""

from __future__ import annotations

import copy
import gc
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from earnest.algorithms.grpo import GRPO
from earnest.algorithms.kl import KL, AdaptiveKL
from earnest.algorithms.ppo import PPO
from earnest.data.gathering.gatherer import Asking, Gatherer
from earnest.data.rollouts import Roller, judge
from earnest.data.samples import demonstrations
from earnest.engines.torch import Torch
from earnest.errors import GateRefused, Interrupted
from earnest.models.base import Forward, Policy
from earnest.models.critic import Critic
from earnest.prompts.chat import Chat
from earnest.runlog import StageLog
from earnest.sampling.plain import Plain
from earnest.tasks.chain import Chain
from earnest.train import checkpoint
from earnest.train.demonstrations import Demonstrations, Pool
from earnest.train.health import Health
from earnest.train.loop import Job, Source, StopRequest, Totals, Work, train
from earnest.train.losses import Cost, Loss, NegativeLogLikelihood, PolicyGradient
from earnest.train.on_policy import FewLive, OnPolicy, Rollouts
from earnest.train.optim import Optim
from earnest.train.reference import Reference
from earnest.train.step import accumulate
from earnest.train.updates import Learning, Planner
from earnest.types import Batch, Item, Sampling, Status, Verdict
from earnest.verifiers.base import Verifier

TASK = Chain(length=3, dev_size=20, test_size=40)


class EveryOther(Verifier):
    """Pays by a rule on the text's length, so that groups are mixed without a trained model."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        rights = [len(item.parsed.text) % 2 == 0 for item in items]
        return [Verdict(status=Status.OK, correct=right, score=float(right)) for right in rights]


class Nobody(Verifier):
    """Pays nothing."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [Verdict(status=Status.OK, correct=False, score=0.0) for _ in items]


class Crashes(Verifier):
    """Fails on some texts."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        if any(len(item.parsed.text) % 2 for item in items):
            raise RuntimeError("broken grader")
        return [Verdict(status=Status.OK, correct=True, score=1.0) for _ in items]


class Explodes(Loss):
    """A loss whose gradient is not finite."""

    def __call__(self, batch: Batch, forward: Forward) -> Cost:
        return Cost((forward.logp_T * math.inf).sum())


class Told(Loss):
    """Has a maximum of its own for every micro-batch."""

    def __init__(self, *told: float) -> None:
        self.told = iter(told)

    def __call__(self, batch: Batch, forward: Forward) -> Cost:
        return Cost(forward.logp_T.sum(), maxima={"x/max_y": torch.tensor([0.0, next(self.told)])})


def rl(policy: Policy, verifier: Verifier, *, stage: str = "rl", temperature: float = 1.0) -> OnPolicy:
    asking = Asking(
        prompts_per_step=4, group_size=4, sampling=Sampling(temperature=temperature, max_tokens=6), seed=1,
        error_ceiling=0.05,
    )  # fmt: skip
    gatherer = Gatherer(TASK.problems("train"), Roller(Chat(), verifier, Plain(), policy.tokenizer), asking)
    planner = Planner(policy, ALGORITHM, Learning(seed=1, temperature=temperature, max_tokens=4096))
    return OnPolicy(gatherer, Torch().open(policy), planner, Rollouts(stage=stage))


ALGORITHM = GRPO(kl=KL(), aggregation="token")


def job(policy: Policy, source: Source, loss: Loss, folder: Path, steps: int = 2, **changes: object) -> Job:
    fields: dict[str, object] = {
        "name": "stage", "policy": policy, "source": source, "loss": loss, "optim": Optim(lr=1e-3), "steps": steps,
        "log": StageLog(folder), "stop": StopRequest(), "echo": lambda line: None, "max_tokens": 4096,
        "checkpoint_every": 100, "log_every": 1, "health": Health(),
    }  # fmt: skip
    return Job(**{**fields, **changes})  # type: ignore[arg-type]


def events(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def weights(policy: Policy) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for _, p in policy.parameters()]).clone()


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def policy(tiny_policy: Policy) -> Policy:
    return copy.deepcopy(tiny_policy)


def sft(policy: Policy) -> Demonstrations:
    return Demonstrations(Pool(TASK, Chat(), policy.tokenizer, 0, 256), batch_size=8)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_first_update_after_a_rollout_has_ratio_one(policy: Policy, tmp_path: Path, temperature: float) -> None:
    source = rl(policy, EveryOther(), temperature=temperature)
    train(job(policy, source, PolicyGradient(ALGORITHM, temperature), tmp_path, steps=3))
    found = rows(tmp_path)
    assert len(found) == 3 and all(row["update/taken"] == 1.0 for row in found)
    assert all(row["sampler/max_ratio_error"] < 1e-4 for row in found)
    assert policy.version == 3


@pytest.mark.parametrize("lies", [False, True])
def test_an_engine_with_old_weights_is_noticed(policy: Policy, tmp_path: Path, lies: bool) -> None:
    """H14 where it says of which version its weights are, H7 also where it does not."""
    source = rl(policy, EveryOther())
    session = Torch().open(copy.deepcopy(policy))

    def refresh(now: Policy) -> None:
        session.policy.version = now.version if lies else session.policy.version

    session.refresh = refresh
    source.engine = session
    train(job(policy, source, PolicyGradient(ALGORITHM, 1.0), tmp_path, steps=8, optim=Optim(lr=1e-2)))
    found = {event["rule"] for event in events(tmp_path) if event["event"] == "health" and event["holds"]}
    assert "H7" in found and ("H14" in found) != lies
    lags = [row["sampler/lag"] for row in rows(tmp_path)]
    assert lags == [0.0] * 8 if lies else lags == [float(step) for step in range(8)]


def test_a_step_without_signal_changes_no_weight_and_no_moment(policy: Policy, tmp_path: Path) -> None:
    before = weights(policy)
    source = rl(policy, Nobody())
    changes = {"optim": Optim(lr=1e-3, weight_decay=0.1)}
    train(job(policy, source, PolicyGradient(ALGORITHM, 1.0), tmp_path, **changes))
    assert torch.equal(weights(policy), before) and policy.version == 0 and source.live_steps == 0
    assert [row["update/taken"] for row in rows(tmp_path)] == [0.0, 0.0]
    assert [row["frac_reward_zero_std"] for row in rows(tmp_path)] == [1.0, 1.0]


@pytest.mark.parametrize("warmup", [0, 2])
def test_the_kls_controller_waits_for_the_policy_to_learn(policy: Policy, tmp_path: Path, warmup: int) -> None:
    """While the critic learns alone the KL is what it was, which says nothing about the coefficient."""
    algorithm = PPO(kl=KL(in_reward=0.1, adaptive=AdaptiveKL(target=5.0, horizon=16)))
    critic, held = Critic(policy), Reference(copy.deepcopy(policy), algorithm.kl)
    source = rl(policy, EveryOther())
    source.planner = Planner(policy, algorithm, source.planner.learning, critic=critic, reference=held)
    source.config = replace(source.config, critic_warmup=warmup)
    train(job(policy, source, PolicyGradient(algorithm, 1.0, critic), tmp_path, steps=3))
    expected = [0.1 * 0.8 ** max(0, step - warmup) for step in range(3)]
    assert [row["kl/coefficient"] for row in rows(tmp_path)] == pytest.approx(expected, rel=1e-3)


def test_the_kls_controller_counts_completions_of_the_present_policy(policy: Policy) -> None:
    algorithm = GRPO(kl=KL(in_reward=0.1, adaptive=AdaptiveKL(target=5.0, horizon=16)))
    source, held = rl(policy, EveryOther()), Reference(copy.deepcopy(policy), algorithm.kl)
    source.planner = Planner(policy, algorithm, source.planner.learning, reference=held)
    gather = source.gather
    source.gather = lambda step: replace(gather(step), replayed=frozenset({1}))
    source.work(0)
    assert held.coefficient == pytest.approx(0.1 * (1 - 0.2 * 12 / 16))


def test_a_critic_learns_alone_in_the_first_steps(policy: Policy, tmp_path: Path) -> None:
    before, critic, source = weights(policy), Critic(policy), rl(policy, EveryOther())
    source.planner = Planner(policy, PPO(), source.planner.learning, critic=critic)
    source.config = replace(source.config, critic_warmup=2)
    seen: list[tuple[bool, bool]] = []

    def echo(line: str) -> None:
        if "/3" in line:
            seen.append((torch.equal(weights(policy), before), bool(critic.head.linear.weight.any())))

    train(job(policy, source, PolicyGradient(PPO(), 1.0, critic), tmp_path, steps=3, echo=echo))
    assert seen == [(True, True), (True, True), (False, True)]


def test_the_loop_keeps_to_the_schedule_and_to_the_largest_norm(policy: Policy, tmp_path: Path) -> None:
    """A gradient far below AdamW's epsilon moves nothing."""
    before = weights(policy)
    optim = Optim.model_validate({"lr": 1e-3, "warmup": 2, "schedule": "linear", "max_grad_norm": 1e-12})
    train(job(policy, sft(policy), NegativeLogLikelihood(), tmp_path, steps=4, optim=optim))
    assert [row["lr"] for row in rows(tmp_path)] == pytest.approx([5e-4, 1e-3, 1e-3, 5e-4])
    assert (weights(policy) - before).abs().max() < 1e-6 and rows(tmp_path)[0]["grad_norm"] > 1e-3


class OneGroup(Verifier):
    """Pays by a rule on the text's length, and only for one problem of a step."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        paid = items[0].problem.id
        rights = [item.problem.id == paid and len(item.parsed.text) % 2 == 0 for item in items]
        return [Verdict(status=Status.OK, correct=right, score=float(right)) for right in rights]


@pytest.mark.parametrize(
    ("few_live", "on_few_live", "scale"),
    [(0.0, "scale", 1.0), (0.25, "scale", 1.0), (0.5, "scale", 0.5), (0.5, "skip", 0.0), (0.5, "take", 1.0)],
)
def test_a_step_for_a_handful_of_live_groups_is_made_smaller_or_not_taken(
    policy: Policy, tmp_path: Path, few_live: float, on_few_live: FewLive, scale: float
) -> None:
    def moved(few_live: float, on_few_live: FewLive) -> torch.Tensor:
        trained = copy.deepcopy(policy)
        before, source = weights(trained), rl(trained, OneGroup())
        source.config = replace(source.config, few_live=few_live, on_few_live=on_few_live)
        train(job(trained, source, PolicyGradient(ALGORITHM, 1.0), tmp_path / on_few_live, steps=1))
        return weights(trained) - before

    full = moved(0.0, "take")
    assert full.abs().max() > 1e-4
    assert torch.allclose(moved(few_live, on_few_live), scale * full, atol=1e-7)
    row = rows(tmp_path / on_few_live)[0]
    assert (row["groups/live"], row["update/lr_scale"], row["update/taken"]) == (0.25, scale, float(scale > 0))


def test_a_gradient_that_is_not_finite_changes_nothing_and_is_said(policy: Policy, tmp_path: Path) -> None:
    before = weights(policy)
    train(job(policy, sft(policy), Explodes(), tmp_path, steps=1))
    assert torch.equal(weights(policy), before)
    assert rows(tmp_path)[0]["update/taken"] == 0.0
    first, last = events(tmp_path)
    assert (first["event"], first["rule"], first["step"], first["level"]) == ("health", "H11", 1, "error")
    assert (last["event"], last["skipped"], last["step"]) == ("skipped_updates", 1, 1)
    assert last["message"] == "1 of 1 updates were left out: their gradient was not finite"


@pytest.mark.parametrize("told", [(3.0, 1.0, 2.0), (1.0, 3.0, 2.0), (1.0, 2.0, 3.0)])
def test_a_maximum_is_of_all_micro_batches(policy: Policy, told: tuple[float, ...]) -> None:
    samples = demonstrations([((3, 4), (5, 6, 2)), ((7,), (8, 2)), ((9, 3), (4, 4, 4, 2))])
    assert accumulate(policy, Told(*told), samples, 1).metrics == {"x/max_y": 3.0}


@pytest.mark.parametrize("place", range(3))
def test_a_maximum_that_is_no_number_stays_none(policy: Policy, tmp_path: Path, place: int) -> None:
    samples = demonstrations([((3, 4), (5, 6, 2)), ((7,), (8, 2)), ((9, 3), (4, 4, 4, 2))])
    told = [math.nan if i == place else 1.0 for i in range(3)]
    assert math.isnan(accumulate(policy, Told(*told), samples, 1).metrics["x/max_y"])

    class Thrice(Source):
        def work(self, step: int) -> Work:
            return Work([samples] * 3)

    train(job(policy, Thrice(), Told(*told), tmp_path, steps=1))
    assert rows(tmp_path)[0]["x/max_y"] is None and rows(tmp_path)[0]["update/count"] == 3.0


def test_health_is_told_once_also_by_a_stage_that_was_resumed(policy: Policy, tmp_path: Path) -> None:
    said: list[str] = []

    def train_for(steps: int) -> None:
        source = rl(policy, Nobody())
        changes = {"steps": steps, "checkpoint_every": 2, "echo": said.append, "health": Health(window=2)}
        train(job(policy, source, PolicyGradient(ALGORITHM, 1.0), tmp_path, **changes))

    train_for(4)
    train_for(6)
    told = [(e["rule"], e["step"], e["holds"]) for e in events(tmp_path) if e["event"] == "health"]
    assert told == [("H1", 2, True), ("H3", 2, True)]  # nobody is paid, and six tokens are not enough
    assert [line.split()[3] for line in said if " H" in line] == ["H1", "H3"]


def test_a_grader_that_fails_is_an_error_and_stops_the_run(policy: Policy, tmp_path: Path) -> None:
    source = rl(policy, Crashes())
    with pytest.raises(GateRefused, match="the grader failed on") as caught:
        train(job(policy, source, PolicyGradient(ALGORITHM, 1.0), tmp_path))
    assert "RuntimeError: broken grader" in caught.value.why


def test_a_crash_on_one_item_costs_no_other_item_its_verdict(policy: Policy) -> None:
    collected = rl(policy, Crashes()).gatherer.roller.collect(
        list(TASK.problems("dev")[:8]), Torch().open(policy), n=2, sampling=Sampling(max_tokens=6), seed=0
    )
    rollouts = [r for group in collected.groups for r in group.rollouts]
    for r in rollouts:
        failed = len(r.parsed.text) % 2 == 1
        assert (r.verdict.status is Status.ERROR) == failed and (r.reward is None) == failed
    assert 0 < sum(r.reward is None for r in rollouts) < len(rollouts)


def test_the_logged_loss_is_the_whole_step_s(policy: Policy, tmp_path: Path) -> None:
    """The mean negative log-likelihood over all trained tokens of the step, although it was taken in many micro-batches."""
    source = sft(policy)
    pairs = Demonstrations(Pool(TASK, Chat(), policy.tokenizer, 0, 256), batch_size=8).pool.take(8, "worked")
    logps: list[float] = []
    for prompt, completion in pairs:
        with torch.no_grad():
            logits = policy.module(input_ids=torch.tensor([[*prompt, *completion]])).logits[0].float().log_softmax(-1)
        logps += [logits[len(prompt) - 1 + t, token].item() for t, token in enumerate(completion)]
    train(job(policy, source, NegativeLogLikelihood(), tmp_path, steps=1, max_tokens=64))
    assert rows(tmp_path)[0]["loss"] == pytest.approx(-sum(logps) / len(logps), abs=1e-5)


def test_the_mixture_is_counted_out(policy: Policy) -> None:
    from earnest.prompts.plain import Plain as PlainPrompt
    from earnest.tasks.skills import Skills

    replay = Pool(Skills(), PlainPrompt(), policy.tokenizer, 0, 256)
    pool = Pool(TASK, Chat(), policy.tokenizer, 0, 256)
    source = Demonstrations(pool, batch_size=16, worked_share=0.25, replay=replay, replay_share=0.25)
    think, close = policy.tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    samples = source.work(0).updates[0]
    replayed = [s for s in samples if think not in s.token_ids]
    direct = [s for s in samples if (think, close) in zip(s.token_ids, s.token_ids[1:], strict=False)]
    assert (len(samples), len(replayed), len(direct)) == (16, 4, 9)


class Counting(Source):
    """Demonstrations that remember how often they were asked."""

    def __init__(self, inner: Demonstrations) -> None:
        self.inner, self.asked = inner, list[int]()

    def work(self, step: int) -> Work:
        self.asked.append(step)
        return self.inner.work(step)

    def after(self, step: int) -> Mapping[str, float]:
        return {}


def test_a_stop_request_ends_the_loop_after_a_checkpoint(policy: Policy, tmp_path: Path) -> None:
    stop = StopRequest()
    source = Counting(sft(policy))

    def echo(line: str) -> None:
        stop.requested = stop.requested or "step 2/" in line

    with pytest.raises(Interrupted, match="after step 2"):
        train(job(policy, source, NegativeLogLikelihood(), tmp_path, steps=9, stop=stop, echo=echo))
    assert source.asked == [0, 1]
    assert checkpoint.latest(tmp_path / "checkpoints") == tmp_path / "checkpoints" / "step_000002"


def test_the_collector_is_left_as_it_was_also_by_a_stage_that_fails(policy: Policy, tmp_path: Path) -> None:
    seen: list[int] = []

    class Fails(Counting):
        def work(self, step: int) -> Work:
            seen.append(gc.get_freeze_count())
            raise GateRefused("no")

    with pytest.raises(GateRefused):
        train(job(policy, Fails(sft(policy)), NegativeLogLikelihood(), tmp_path))
    assert seen[0] > 0 and gc.get_freeze_count() == 0


def test_compute_ends_a_stage_when_it_is_matched(policy: Policy, tmp_path: Path) -> None:
    parameters = sum(p.numel() for _, p in policy.parameters())
    one = train(job(policy, sft(policy), NegativeLogLikelihood(), tmp_path / "one", steps=1))
    processed = sum(len(s.token_ids) - 1 for s in sft(policy).work(0).updates[0])  # nothing follows the last token
    assert one.flops == 6.0 * parameters * processed
    many = job(policy, sft(policy), NegativeLogLikelihood(), tmp_path / "many", steps=50, max_flops=2.5 * one.flops)
    totals: Totals = train(many)
    assert totals.steps == 3


def test_a_stage_that_ended_early_does_not_go_on_when_it_is_resumed(policy: Policy, tmp_path: Path) -> None:
    class Done(Counting):
        def is_done(self, row: Mapping[str, float]) -> bool:
            return row["step"] == 3

    for asked in ([0, 1, 2], []):
        source = Done(sft(policy))
        source.load_state_dict = lambda state: None  # type: ignore[method-assign]
        assert train(job(policy, source, NegativeLogLikelihood(), tmp_path, steps=9)).steps == 3
        assert source.asked == asked


def test_old_checkpoints_are_dropped_only_once_a_newer_one_is_whole(policy: Policy, tmp_path: Path) -> None:
    train(job(policy, sft(policy), NegativeLogLikelihood(), tmp_path, steps=6, checkpoint_every=2))
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["step_000004", "step_000006"]


def test_the_newest_checkpoint_is_the_one_with_the_highest_number(tmp_path: Path) -> None:
    for name in ("step_999950", "step_1000000"):
        (tmp_path / name).mkdir()
    assert checkpoint.latest(tmp_path) == tmp_path / "step_1000000"


def test_one_rollout_a_prompt_is_a_signal_to_an_algorithm_that_needs_no_group(policy: Policy, tmp_path: Path) -> None:
    from earnest.algorithms.reinforce_pp import ReinforcePP
    from earnest.evaluate.claim import is_live

    source = rl(policy, EveryOther())
    source.planner.algorithm = ReinforcePP()
    source.gatherer.asking = replace(source.gatherer.asking, group_size=1, prompts_per_step=16)
    train(job(policy, source, PolicyGradient(source.planner.algorithm, 1.0), tmp_path, steps=1))
    (row,) = rows(tmp_path)
    assert row["groups/mixed"] == 0.0 and row["update/taken"] == 1.0 and is_live(row)


def test_weights_that_are_not_finite_are_not_saved_as_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from earnest import api
    from earnest.errors import EarnestError
    from earnest.stages import training

    def poisoned(job: Job) -> Totals:
        next(p for _, p in job.policy.parameters()).data[0] = math.nan
        return Totals()

    monkeypatch.setattr(training, "train", poisoned)
    (tmp_path / "recipe.yaml").write_text(
        "name: x\nthreads: 1\nmodel: {name: tiny, width: 16, layers: 1, heads: 2}\n"
        "task: {name: chain, length: 3, dev_size: 20, test_size: 40}\n"
        "stages: [{stage: sft, steps: 3, batch_size: 4, lr: 1e-3}]\n"
    )
    with pytest.raises(EarnestError, match="not finite"):
        api.run(tmp_path / "recipe.yaml", run_dir=tmp_path / "run", echo=lambda line: None)
    assert not (tmp_path / "run" / "sft" / "model").exists()


def test_demonstrations_weigh_every_trained_token_of_the_step_alike() -> None:
    samples = demonstrations([((1, 2), (3,)), ((1,), (2, 3, 4))])
    assert [s.weight for s in samples] == [0.25, 0.25]


def test_verdicts_are_counted_one_to_one(policy: Policy) -> None:
    class Short(Nobody):
        def judge(self, items: Sequence[Item]) -> list[Verdict]:
            return super().judge(items)[1:]

    with pytest.raises(AssertionError, match="verdicts for"):
        judge(Short(), [Item(problem=TASK.problems("dev")[0], parsed=Chat().parse("1", opened=True), truncated=False)])


def test_only_solutions_with_a_trace_are_shown_as_worked(policy: Policy, tmp_path: Path) -> None:
    from earnest.errors import DataError
    from earnest.tasks.jsonl import Jsonl

    def pool(*traces: str | None) -> Pool:
        rows = [
            {"prompt": f"{i}+{i}=", "answer": str(2 * i), **({"trace": t} if t else {})} for i, t in enumerate(traces)
        ]
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        held_out = tmp_path / "other.jsonl"
        held_out.write_text('{"prompt": "far away?", "answer": "7"}\n')
        task = Jsonl(path=str(tmp_path / "rows.jsonl"), dev=str(held_out), test=str(held_out))
        return Pool(task, Chat(), policy.tokenizer, 0, 256)

    open_mark = policy.tokenizer.convert_tokens_to_ids("</think>")
    pairs = pool("so it is", None, "thus", None).take(6, "worked")
    assert len(pairs) == 6 and all(completion[0] != open_mark for _, completion in pairs)
    with pytest.raises(DataError, match="worked_share: 0"):
        pool(None, None).take(1, "worked")
    assert len(pool(None, None).take(2, "direct")) == 2


def test_traces_with_wrong_arithmetic_are_left_out_and_counted(policy: Policy, tmp_path: Path) -> None:
    from earnest.errors import DataError
    from earnest.tasks.jsonl import Jsonl

    def pool(*traces: str) -> Pool:
        lines = [json.dumps({"prompt": f"{i}+{i}=", "answer": "7", "trace": t}) for i, t in enumerate(traces)]
        (tmp_path / "rows.jsonl").write_text("\n".join(lines))
        held_out = tmp_path / "other.jsonl"
        held_out.write_text('{"prompt": "far away?", "answer": "7"}\n')
        task = Jsonl(path=str(tmp_path / "rows.jsonl"), dev=str(held_out), test=str(held_out))
        return Pool(task, Chat(), policy.tokenizer, 0, 256, drop_wrong_steps=True)

    mixed = pool("3 + 4 = 7", "3 + 4 = 8", "x + 4 = 8", "so it is")
    worked = Demonstrations(mixed, batch_size=6)
    metrics = worked.work(0).metrics
    assert metrics["data/wrong_steps"] == mixed.wrong_steps == 2  # the wrong one of four, in two rounds
    kept = worked.state_dict()
    mixed.wrong_steps = 0
    worked.load_state_dict(kept)
    assert mixed.wrong_steps == 2
    assert len(mixed.take(4, "direct")) == 4 and mixed.wrong_steps == 2
    with pytest.raises(DataError, match="wrong step"):
        pool("3 + 4 = 8").take(1, "worked")
    assert "data/wrong_steps" not in sft(policy).work(0).metrics


def test_a_subset_is_the_same_for_everyone_and_not_the_first_rows() -> None:
    from earnest.data.select import subset

    problems = TASK.problems("test")
    chosen = subset(problems, 10)
    assert len({p.id for p in chosen}) == 10 and chosen == subset(problems, 10)
    assert chosen != list(problems[:10])
    assert subset(problems, 1000) == list(problems)

"""Settings of the stages that learn from rollouts: each of them, off its default, is found where the loop will look for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from builders import make_step
from earnest.component import BuildContext, build
from earnest.engines.torch import Torch
from earnest.gates.base import Gate, GateResult, Samples, Steps, looking_at
from earnest.models.tiny import Tiny
from earnest.prompts.chat import Chat
from earnest.runlog import StageLog
from earnest.sampling.plain import Plain
from earnest.seeding import derive
from earnest.stages import training
from earnest.stages.base import Context
from earnest.stages.rl import CriticSettings
from earnest.stages.rolling import Rehearsal, RolloutStage
from earnest.train.loop import Job, StopRequest, Totals
from earnest.verifiers.number import Number
from policies import CPU

SEED = 7
TASK = build("task", {"name": "chain", "length": 3, "dev_size": 20, "test_size": 40})
OF_THE_ROAD = {"from_", "control"}
"""Which policy a stage begins with, and what its result is a claim about: the stage does not look at them itself."""

shown: list[Samples] = []


class Looks(Gate):
    """Remembers what it is shown."""

    looks_at: ClassVar[type] = Samples

    def check(self, evidence: Samples) -> GateResult:
        shown.append(evidence)
        return self.result(evidence.stage, "passed", "seen")


def optim_and_rollouts(**own: Any) -> dict[str, Any]:
    """What both kinds of stage have, nothing of it as it is by default."""
    return {
        "id": "one", "lr": 1e-3, "betas": (0.8, 0.9), "weight_decay": 0.1, "max_grad_norm": 0.5, "warmup": 2,
        "schedule": "cosine", "steps": 9, "micro_batch_tokens": 4096, "checkpoint_every": 3, "log_every": 2,
        "health": {"window": 5}, "gates": (Looks(), {"name": "learning", "patience": 7}), "gate_problems": 3,
        "task": {"name": "chain", "length": 4, "dev_size": 20, "test_size": 40}, "prompts_per_step": 6, "group_size": 5,
        "max_tokens": 4, "temperature": 0.7, "epochs": 3, "error_ceiling": 0.5, "few_live": 0.5, "on_few_live": "skip",
        "replay": {"task": "skills", "prompt": "plain", "examples": 3, "weight": 0.3},
        "refill": {"attempts": 2}, "curriculum": {"low": 0.2}, "hard": {"below": 0.3, "group_size": 8},
        "replay_groups": {"capacity": 6, "share": 0.5}, "hints": {"start": 0.5},
        **own,
    }  # fmt: skip


RL = optim_and_rollouts(
    name="rl",
    algorithm={"name": "ppo", "lam": 0.9, "kl": {"in_loss": 0.1, "reset_every": 4}},
    reward=[{"use": "correct", "weight": 2.0}, {"use": "cosine", "weight": 0.5}],
    minibatches=2,
    mask_truncated=True,
    count_truncated=True,
    entropy={"bonus": 0.01, "top_share": 0.5},
    mismatch={"method": "token_tis", "cap": 3.0},
    critic={"separate": True, "lr": 2e-3, "warmup": 1},
)
PREFERENCE = optim_and_rollouts(
    name="preference", preference={"name": "ipo", "beta": 0.3}, pairs_per_prompt=3, minibatches=2, renew_reference=4
)

Places = Callable[[Any, Any], Sequence[Any]]
"""(stage, job) -> one value, as it stands in the recipe and in every place that goes by it."""


def asking(job: Any) -> Any:
    return job.source.gatherer.asking


def of_source(name: str) -> Places:
    return lambda stage, job: [getattr(stage, name), getattr(job.source.config, name)]


def of_asking(name: str) -> Places:
    return lambda stage, job: [getattr(stage, name), getattr(asking(job), name)]


def of_learning(name: str) -> Places:
    return lambda stage, job: [getattr(stage, name), getattr(job.source.planner.learning, name)]


def of_pairing(name: str) -> Places:
    return lambda stage, job: [getattr(stage, name), getattr(job.source.pairing, name)]


def of_job(name: str) -> Places:
    return lambda stage, job: [getattr(stage, name), getattr(job, name)]


def rehearsal(stage: Any, job: Any) -> list[Any]:
    found = job.source.replay
    made = Rehearsal(task=found.pool.task, prompt=found.pool.prompt, examples=found.examples, weight=found.weight)
    return [stage.replay, made]


def critic(stage: Any, job: Any) -> list[Any]:
    found = job.loss.critic
    assert found is job.source.planner.critic
    separate, warmup = found.decoder is not None, job.source.config.critic_warmup
    return [stage.critic, CriticSettings(separate=separate, lr=job.head_lr, warmup=warmup)]


BOTH: dict[str, Places] = {
    **{
        name: lambda stage, job, name=name: [getattr(stage, name), getattr(job.optim, name)]
        for name in ("lr", "betas", "weight_decay", "max_grad_norm", "warmup", "schedule")
    },
    **{name: of_job(name) for name in ("steps", "checkpoint_every", "log_every", "health")},
    **{name: of_asking(name) for name in ("prompts_per_step", "group_size")},
    **{name: of_source(name) for name in ("few_live", "on_few_live")},
    "id": lambda stage, job: [stage.id, job.name, job.source.config.stage],
    "gates": lambda stage, job: [looking_at(stage.gates, Steps), list(job.gates)],
    "gate_problems": lambda stage, job: [stage.gate_problems, len(shown[-1].groups)],
    "task": lambda stage, job: [
        [problems[i].prompt for i in range(3)]
        for problems in (stage.task.problems("train"), job.source.gatherer.draws.problems)
    ],
    "error_ceiling": lambda stage, job: [stage.error_ceiling, job.source.gatherer.watch.ceiling],
    "replay": rehearsal,
    "refill": lambda stage, job: [stage.refill, asking(job).remedies.refill, job.source.gatherer.ledger.refill],
    "curriculum": lambda stage, job: [
        stage.curriculum, asking(job).remedies.curriculum, job.source.gatherer.draws.curriculum
    ],
    "hard": lambda stage, job: [stage.hard, asking(job).remedies.hard],
    "replay_groups": lambda stage, job: [stage.replay_groups, job.source.gatherer.buffer.config],
    "hints": lambda stage, job: [stage.hints, job.source.gatherer.hinting.hints],
}  # fmt: skip
OF_RL: dict[str, Places] = {
    **BOTH,
    **{name: of_learning(name) for name in ("epochs", "minibatches", "mask_truncated", "count_truncated", "entropy")},
    "micro_batch_tokens": lambda stage, job: [
        stage.micro_batch_tokens, job.max_tokens, job.source.planner.learning.max_tokens
    ],
    "temperature": lambda stage, job: [
        stage.temperature, asking(job).sampling.temperature, job.source.planner.learning.temperature, job.loss.temperature
    ],
    "max_tokens": lambda stage, job: [
        stage.max_tokens, asking(job).sampling.max_tokens, asking(job).reward[1].use.max_length
    ],
    "reward": lambda stage, job: [
        [(term.name, term.weight) for term in terms] for terms in (stage.reward, asking(job).reward)
    ],
    "algorithm": lambda stage, job: [stage.algorithm, job.source.planner.algorithm, job.loss.algorithm],
    "mismatch": lambda stage, job: [stage.mismatch, job.loss.mismatch],
    "critic": critic,
}  # fmt: skip
OF_PREFERENCE: dict[str, Places] = {
    **BOTH,
    **{name: of_pairing(name) for name in ("epochs", "minibatches", "pairs_per_prompt")},
    "micro_batch_tokens": lambda stage, job: [
        stage.micro_batch_tokens, job.max_tokens, job.source.pairing.max_tokens
    ],
    "temperature": lambda stage, job: [
        stage.temperature, asking(job).sampling.temperature, job.source.pairing.temperature, job.loss.temperature
    ],
    "max_tokens": lambda stage, job: [stage.max_tokens, asking(job).sampling.max_tokens],
    "preference": lambda stage, job: [stage.preference, job.loss.preference],
    "renew_reference": lambda stage, job: [stage.renew_reference, job.source.anchor.renew_every],
}  # fmt: skip


def stage_of(settings: Mapping[str, Any]) -> Any:
    return build("stage", settings, BuildContext(Path("/")))


def job_of(stage: RolloutStage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The job that the stage hands to the loop, which takes no step of it."""
    jobs: list[Job] = []

    def kept(job: Job) -> Totals:
        jobs.append(job)
        return Totals()

    monkeypatch.setattr(training, "train", kept)
    context = Context(
        model=Tiny(width=16, layers=1, heads=2), task=TASK, prompt=Chat(),
        verifier=Number(), engine=Torch(), strategy=Plain(), machine=CPU, seed=SEED, run=folder, log=StageLog(folder),
        policies={"base": None}, totals={}, controls=frozenset(), held_out=frozenset(), trained=None, stop=StopRequest(),
        allow=frozenset(), echo=lambda line: None,
    )  # fmt: skip
    stage.run(context, "base")
    return jobs[0]


@pytest.mark.parametrize(("settings", "places"), [(RL, OF_RL), (PREFERENCE, OF_PREFERENCE)], ids=["rl", "preference"])
def test_every_setting_off_its_default_arrives_in_the_job(
    settings: dict[str, Any], places: dict[str, Places], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stage_of(settings)
    plain = stage_of({"name": settings["name"], "id": "plain", "lr": 1e-4, "steps": 5})
    assert set(places) == set(type(stage).model_fields) - OF_THE_ROAD, "a setting without a place that goes by it"
    assert [name for name in places if getattr(stage, name) == getattr(plain, name)] == []
    job = job_of(stage, tmp_path, monkeypatch)
    found = {name: of(stage, job) for name, of in places.items()}
    assert {name: values for name, values in found.items() if any(v != values[0] for v in values)} == {}


@pytest.mark.parametrize("settings", [RL, PREFERENCE], ids=["rl", "preference"])
def test_what_a_stage_draws_is_of_the_runs_seed_and_its_id(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(stage_of(settings), tmp_path, monkeypatch)
    own = job.source.planner.learning if settings is RL else job.source.pairing
    assert own.seed == asking(job).seed == derive(SEED, "one")


def test_what_the_recipe_leaves_out_of_the_loss_is_not_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = stage_of({"name": "rl", "id": "one", "lr": 1e-3, "steps": 2, "gates": [], "max_tokens": 4})
    for stage, stats in ((plain, set[str]()), (stage_of(RL), {"entropy"})):
        job = job_of(stage, tmp_path, monkeypatch)
        assert job.loss.stats == stats
        reference = job.source.planner.reference
        assert (reference and reference.kl) == (stage.algorithm.kl if stats else None)


def test_a_divisor_that_the_recipe_leaves_open_is_the_stages_longest_completion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stage_of(
        {"name": "rl", "id": "one", "lr": 1e-3, "steps": 2, "gates": [], "max_tokens": 4, "algorithm": "dr_grpo"}
    )
    job = job_of(stage, tmp_path, monkeypatch)
    assert job.loss.algorithm.max_length == job.source.planner.algorithm.max_length == 4


def test_remedies_go_by_what_the_method_learns_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choosy = {"algorithm": {"name": "grpo", "min_std": 0.6}, "critic": {}}
    whole, cut = (make_step([[1.0, 0.0]], finished=[ends] * 2).groups[0] for ends in (True, False))
    for settings, expected in ((RL, [True, False]), (RL | choosy, [False, False]), (PREFERENCE, [True, True])):
        live = job_of(stage_of(settings), tmp_path, monkeypatch).source.gatherer.live
        assert [live(whole), live(cut)] == expected

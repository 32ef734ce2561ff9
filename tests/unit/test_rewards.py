"""Rewards: how a recipe names them, what a rollout gets from them, and that they never touch a verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

import pytest

from builders import NAN, make_rollout
from earnest.algorithms.kl import KL
from earnest.algorithms.rloo import RLOO
from earnest.component import BuildContext, KeyedConfigError, build
from earnest.data.gathering.curriculum import Draws
from earnest.data.gathering.gatherer import Asking, Gatherer
from earnest.data.rewarding import reward
from earnest.data.rollouts import Roller
from earnest.data.store import from_json, to_json
from earnest.engines.torch import Torch
from earnest.errors import GateRefused
from earnest.evaluate.report.write import write_report
from earnest.models.base import Policy
from earnest.prompts.chat import Chat
from earnest.rewards.base import Failed, Reward, Score, Weighted, correct_alone
from earnest.rewards.correct import Correct
from earnest.rewards.format import Format
from earnest.rewards.random import Random
from earnest.sampling.plain import Plain
from earnest.tasks.chain import Chain
from earnest.train.on_policy import OnPolicy, Rollouts
from earnest.train.updates import Learning, Planner
from earnest.types import Finish, Group, Item, Parsed, Rollout, Sampling, Status, Verdict
from earnest.verifiers.base import Verifier
from report_runs import RunOnDisk, record, records

STEP: dict[str, Any] = {"name": "rl", "id": "rl", "steps": 1, "lr": 1e-3}


class Length(Reward):
    """Tokens of a completion; does not apply to a single one, and cannot say of four."""

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        lengths = [sum(r.completion.sampled) for r in rollouts]
        return [None if n == 1 else Failed("four") if n == 4 else float(n) for n in lengths]


class First(Reward):
    """Prefers a completion by its first token: a shape that an untrained model's completions differ in."""

    shapes: ClassVar[bool] = True

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        return [(r.completion.token_ids or (0,))[0] / 8 for r in rollouts]


class Raises(Reward):
    """Fails on the rollouts of index 1 by raising."""

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        if any(r.completion.index == 1 for r in rollouts):
            raise ValueError("no")
        return [math.inf if r.completion.index == 2 else 0.5 for r in rollouts]


def terms(spec: Any) -> tuple[Weighted, ...]:
    return build("stage", {**STEP, "reward": spec}).reward


def group(*rollouts: Rollout) -> list[Group]:
    return [Group(rollouts[0].problem, rollouts)]


def rewards(groups: Sequence[Group], *weighted: Weighted, seed: int = 0) -> list[float | None]:
    return [r.reward for g in reward(groups, weighted, seed, 0).groups for r in g.rollouts]


# ------------------------------------------------------------------------------------------------ in a recipe


def test_short_and_long_forms() -> None:
    assert build("stage", STEP).reward == correct_alone() == terms("correct") == terms(["correct"])
    assert terms("random") == (Weighted(use=Random(), weight=1.0, name="random"),)
    assert terms({"use": {"name": "random", "probability": 0.25}, "weight": -2}) == (
        Weighted(use=Random(probability=0.25), weight=-2.0, name="random"),
    )
    two = terms(["correct", {"use": "format", "weight": 0.1, "name": "form"}])
    assert [(t.name, t.weight, t.use) for t in two] == [("correct", 1.0, Correct()), ("form", 0.1, Format())]
    spec = json.loads(json.dumps(build("stage", {**STEP, "reward": ["correct", "format"]}).model_dump(by_alias=True)))
    assert build("stage", spec).reward == terms(["correct", "format"])


@pytest.mark.parametrize(
    ("spec", "where", "what"),
    [
        (["correct", "correct"], "reward[1]", "two reward terms are named 'correct'"),
        (["correct", "formatt"], "reward[1].use", "unknown reward 'formatt'"),
        ([{"use": "format", "weight": 0}], "reward[0].weight", "weight 0"),
        ([{"use": "format", "weight": math.nan}], "reward[0].weight", "finite"),
        ([{"use": "format", "wieght": 1}], "reward[0].wieght", "unknown key 'wieght'"),
        ([{"use": "format", "name": "a b"}], "reward[0].name", "letters"),
        ([{"name": "format"}], "reward[0]", "without `use:`"),
        (3, "reward", "without `use:`"),
        ([], "reward", "needs a term"),
        ({"use": {"name": "random", "probability": 1.5}}, "reward.use.probability", "less than 1"),
    ],
)
def test_what_is_refused_and_where(spec: Any, where: str, what: str) -> None:
    with pytest.raises(KeyedConfigError) as caught:
        terms(spec)
    assert caught.value.where == where and what in caught.value.what


def test_a_users_class_is_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from earnest.rewards.base import Reward\nclass Half(Reward):\n    def score(self, rollouts, seed):\n"
        "        return [0.5 for _ in rollouts]\n"
    )
    (term,) = build("stage", {**STEP, "reward": "mine.py:Half"}, BuildContext(tmp_path)).reward
    assert term.name == "Half" and rewards(group(make_rollout(0, 0, 1.0, 2)), term) == [0.5]


# ------------------------------------------------------------------------------------------------ of a rollout


def test_the_reward_is_the_weighted_sum_and_the_verdict_stays() -> None:
    groups = group(*(make_rollout(0, i, right, length) for i, (right, length) in enumerate([(1.0, 2), (0.0, 3)])))
    weighted = (Weighted(use=Correct()), Weighted(use=Length(), weight=-0.25, name="long"))
    found = reward(groups, weighted, 0, 0)
    (after,) = found.groups
    assert [r.reward for r in after.rollouts] == [1.0 - 0.5, 0.0 - 0.75] and found.failure == ""
    assert [dict(r.reward_parts) for r in after.rollouts] == [
        {"correct": 1.0, "long": 2.0},
        {"correct": 0.0, "long": 3.0},
    ]
    assert [r.verdict for r in after.rollouts] == [r.verdict for r in groups[0].rollouts]


def test_what_does_not_apply_adds_nothing_and_what_fails_leaves_no_reward() -> None:
    groups = group(*(make_rollout(0, i, 1.0, length) for i, length in enumerate([1, 4, 2])))
    both = (Weighted(use=Correct()), Weighted(use=Length()))
    found = reward(groups, both, 0, 0)
    assert [r.reward for r in found.groups[0].rollouts] == [1.0, None, 3.0]
    assert [r.reward_parts["Length"] for r in found.groups[0].rollouts] == [None, None, 2.0]
    assert found.failure == "reward term 'Length': four"
    assert rewards(groups, Weighted(use=Length(), name="n")) == [None, None, 2.0]  # no term applies to the first


def test_no_reward_of_any_kind_where_grading_failed() -> None:
    groups = group(make_rollout(0, 0, NAN, 2), make_rollout(0, 1, 0.0, 2))
    assert rewards(groups, *correct_alone()) == [None, 0.0]
    assert rewards(groups, Weighted(use=Length())) == [None, 2.0]


def test_a_term_that_raises_or_gives_no_number_fails_where_it_does() -> None:
    groups = group(*(make_rollout(0, i, 1.0, 2) for i in range(3)))
    found = reward(groups, (Weighted(use=Raises()),), 0, 0)
    assert [r.reward for r in found.groups[0].rollouts] == [0.5, None, None]
    assert found.failure == "reward term 'Raises': ValueError: no"


@pytest.mark.parametrize(
    ("well_formed", "finish", "status", "score"),
    [
        (True, Finish.STOP, Status.OK, 1.0), (True, Finish.LENGTH, Status.TRUNCATED, 0.0),
        (True, Finish.ABORT, Status.OK, 0.0), (False, Finish.STOP, Status.OK, 0.0),
        (True, Finish.STOP, Status.NO_ANSWER, 0.0), (True, Finish.STOP, Status.LIMIT, 0.0),
        (True, Finish.STOP, Status.ERROR, Failed("broken")), (False, Finish.LENGTH, Status.ERROR, Failed("broken")),
    ],
)  # fmt: skip
def test_the_format_is_well_formed_not_cut_and_with_an_answer_that_can_be_read(
    well_formed: bool, finish: Finish, status: Status, score: Score
) -> None:
    rollout = make_rollout(0, 0, NAN if status is Status.ERROR else 0.0, 2)
    rollout = replace(
        rollout, parsed=Parsed(text="", thought="", answer_text="", well_formed=well_formed),
        completion=replace(rollout.completion, finish=finish),
        verdict=replace(rollout.verdict, status=status, reason="broken"),
    )  # fmt: skip
    assert Format().score([rollout], 0) == [score]


def test_chance_depends_on_seed_problem_and_sample_alone() -> None:
    many = [make_rollout(g, i, 0.0, 2) for g in range(50) for i in range(40)]
    drawn = Random(probability=0.25).score(many, 7)
    assert Random(probability=0.25).score(many[::-1], 7) == drawn[::-1]
    assert [Random(probability=0.25).score([r], 7)[0] for r in many[:30]] == drawn[:30]
    assert abs(sum(drawn) / 2000 - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 2000)  # type: ignore[arg-type]
    assert Random(probability=0.25).score(many, 8) != drawn
    by_problem = [tuple(drawn[40 * g : 40 * g + 40]) for g in range(50)]
    assert len(set(by_problem)) == 50 and len(set(zip(*by_problem, strict=True))) == 40
    two = reward(group(*many), (Weighted(use=Random()), Weighted(use=Random(), name="other")), 7, 0).groups[0].rollouts
    assert any(r.reward_parts["random"] != r.reward_parts["other"] for r in two)


def test_parts_survive_the_disk_and_old_records_are_read() -> None:
    full = replace(record("p", 0, True), reward_parts={"correct": 1.0, "mine": None})
    assert from_json(json.loads(json.dumps(to_json(full)))) == full
    old = {key: value for key, value in to_json(full).items() if key != "reward_parts"}
    assert from_json(old) == replace(full, reward_parts={})


# ------------------------------------------------------------------------------------------------ in training


class EveryOther(Verifier):
    """Pays by a rule on the text's length, so that groups are mixed without a trained model."""

    fails: bool = False
    """Fails where it would not pay."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [self._judge(len(item.parsed.text) % 2 == 0) for item in items]

    def _judge(self, right: bool) -> Verdict:
        if self.fails and not right:
            return Verdict(status=Status.ERROR, correct=None, score=None, reason="broken")
        return Verdict(status=Status.OK, correct=right, score=float(right))


def source(policy: Policy, *weighted: Weighted, ceiling: float = 0.05, fails: bool = False) -> OnPolicy:
    asking = Asking(
        prompts_per_step=4, group_size=4, sampling=Sampling(max_tokens=6), seed=1, error_ceiling=ceiling,
        reward=weighted or correct_alone(),
    )  # fmt: skip
    roller = Roller(Chat(), EveryOther(fails=fails), Plain(), policy.tokenizer)
    problems = Chain(length=3, dev_size=20, test_size=40).problems("train")
    planner = Planner(policy, RLOO(kl=KL()), Learning(seed=1, temperature=1.0, max_tokens=4096))
    return OnPolicy(Gatherer(problems, roller, asking), Torch().open(policy), planner, Rollouts(stage="rl"))


def test_the_advantage_follows_the_reward_and_the_metrics_have_every_part(tiny_policy: Policy) -> None:
    graded = source(tiny_policy, *correct_alone()).work(0)
    turned = source(tiny_policy, Weighted(use=Correct(), weight=-1.0)).work(0)
    mixed = source(tiny_policy, Weighted(use=Correct()), Weighted(use=Random(), weight=0.5)).work(0)
    assert any(r.advantage for r in graded.records)
    assert [r.advantage for r in turned.records] == pytest.approx([-(r.advantage or 0) for r in graded.records])
    assert [r.verdict for r in turned.records] == [r.verdict for r in graded.records]
    assert turned.metrics["pass_rate"] == graded.metrics["pass_rate"] == graded.metrics["rewards/correct/mean"]
    assert turned.metrics["reward"] == -graded.metrics["reward"] and graded.metrics["reward/missing"] == 0
    parts = [r.reward_parts for r in mixed.records]
    assert [r.reward for r in mixed.records] == [p["correct"] + 0.5 * p["random"] for p in parts]  # type: ignore[operator]
    assert mixed.metrics["rewards/random/mean"] == sum(p["random"] or 0 for p in parts) / len(parts)


def test_a_shaping_term_starts_at_its_step_and_keeps_quiet_in_groups_of_one_verdict(tiny_policy: Policy) -> None:
    run = source(tiny_policy, Weighted(use=Correct()), Weighted(use=First(), after=1))
    seen = 0
    for step in range(4):
        work = run.work(step)
        groups = [work.records[i : i + 4] for i in range(0, 16, 4)]
        rights = [[r.reward_parts["correct"] or 0.0 for r in rows] for rows in groups]
        shapes = [[r.reward_parts["First"] or 0.0 for r in rows] for rows in groups]
        quiet = 0
        for rows, right, shape in zip(groups, rights, shapes, strict=True):
            alike = [s for other, own in zip(rights, shapes, strict=True) if set(other) == set(right) for s in own]
            mean = [fmean(alike)] * 4 if len(set(right)) == 1 else shape
            quiet += step > 0 and len(set(right)) == 1 and len(set(shape)) > 1
            due = [r + k for r, k in zip(right, mean, strict=True)] if step > 0 else right
            assert [r.reward for r in rows] == pytest.approx(due, abs=1e-12)
        seen += quiet
        assert work.metrics["groups/levelled"] == quiet / 4 and work.metrics["rewards/First/mean"] != 0
    assert 0 < seen < 12, "both kinds of groups"
    assert run.state_dict().keys() == source(tiny_policy).state_dict().keys()


def test_chance_is_drawn_anew_in_every_step(tiny_policy: Policy) -> None:
    one = source(tiny_policy, Weighted(use=Random()))
    one.gatherer.draws = Draws(one.gatherer.draws.problems[:4], 0)
    steps = [{(r.problem.id, r.index): r.reward for r in one.work(step).records} for step in (0, 1)]
    assert steps[0].keys() == steps[1].keys() and steps[0] != steps[1]


def test_too_many_rollouts_without_a_reward_stop_the_run_and_a_few_are_told_once(tiny_policy: Policy) -> None:
    told: list[str] = []
    with pytest.raises(GateRefused) as caught:
        source(tiny_policy, Weighted(use=Correct()), Weighted(use=Raises())).work(0)
    assert caught.value.what == "50% of the rollouts of step 1 have no reward"
    assert (caught.value.where, caught.value.why) == ("reward correct, Raises", "reward term 'Raises': ValueError: no")
    some = source(tiny_policy, Weighted(use=Raises()), ceiling=0.6)
    some.gatherer.watch.tell = lambda event, sentence: told.append(sentence)
    works = [some.work(step) for step in (0, 1)]
    assert [w.metrics["reward/missing"] for w in works] == [0.5, 0.5]
    assert [r.advantage for r in works[0].records if r.reward is None] == [0.0] * 8
    assert told == ["step 1: reward term 'Raises': ValueError: no"]
    resumed = source(tiny_policy, Weighted(use=Raises()), ceiling=0.6)
    resumed.load_state_dict(json.loads(json.dumps(some.state_dict())))
    resumed.gatherer.watch.tell = some.gatherer.watch.tell
    resumed.work(2)
    assert len(told) == 1
    with pytest.raises(GateRefused, match="the grader failed on"):
        source(tiny_policy, Weighted(use=Random()), fails=True).work(0)


def test_the_default_is_the_verifiers_score(tiny_policy: Policy) -> None:
    left_out, written = source(tiny_policy).work(0), source(tiny_policy, *terms("correct")).work(0)
    assert left_out.records == written.records
    assert [r.reward for r in left_out.records] == [r.verdict.score for r in left_out.records]
    assert [s.weight for s in left_out.updates[0]] == [s.weight for s in written.updates[0]] != []


@pytest.mark.parametrize(
    ("reward_terms", "said"),
    [
        ([{"use": {"name": "correct"}, "weight": 2.0, "name": "correct"}], None),
        ([{"use": {"name": "random"}, "weight": 1.0, "name": "random"}], "random 1 "),
        (
            [{"use": {"name": "correct"}, "weight": 1.0, "name": "right"},
             {"use": {"name": "format"}, "weight": 0.1, "name": "format"}], "right 1, format 0.1 ",
        ),
        ([{"use": {"name": "correct"}, "weight": -1.0, "name": "correct"}], "correct -1 "),
    ],
)  # fmt: skip
def test_the_verdict_says_what_else_was_rewarded(tmp_path: Path, reward_terms: Any, said: str | None) -> None:
    run = RunOnDisk(tmp_path)
    run.stage("rl", "rl")
    run.stage("chance", "rl", control=True)
    marks = [[True, False]] * 20
    models = {name: (records(marks), records(marks, greedy=True)) for name in ("base", "rl", "chance")}
    run.evaluation("eval", models)
    path = run.finish()
    control = {"id": "chance", "reward": [{"use": {"name": "random"}, "weight": 3.0, "name": "random"}]}
    stages = [{"id": "rl", "reward": reward_terms}, control, {"id": "eval"}]
    run.write("config/resolved.json", {"name": "x", "model": {}, "task": {}, "stages": stages})
    write_report(path)
    found = json.loads((path / "report" / "report.json").read_text())["caveats"]
    told = [line for line in found if "another reward" in line]
    assert told == (
        [] if said is None else [f"rl was trained on another reward than the verifier's: {said}(term and weight)."]
    )

"""Shaping rewards: what each is paid for, from when on, and that none becomes the only signal of a group by accident."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NAN, make_rollout
from earnest.algorithms.dr_grpo import DrGRPO
from earnest.algorithms.grpo import GRPO
from earnest.algorithms.rloo import RLOO
from earnest.component import BuildContext, KeyedConfigError, build
from earnest.data.rewarding import Rewarded, level, reward
from earnest.data.samples import to_step
from earnest.functional.reward import cosine, kimi_length, repeated, soft_overlong
from earnest.rewards.base import Failed, Reward, Score, Weighted, fitted
from earnest.types import Finish, Group, Rollout

STEP: dict[str, Any] = {"name": "rl", "id": "rl", "steps": 10, "lr": 1e-3, "max_tokens": 100}
SHAPING = ("overlong", "cosine", "kimi_length", "l1_length", "repetition")


class Share(Reward):
    """Pays what its table says of a sample's place; judges."""

    pays: tuple[float | None, ...]
    """By index; None: does not apply, nan: fails."""

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        return [Failed("broken") if p is not None and p != p else p for p in map(self._pay, rollouts)]

    def _pay(self, rollout: Rollout) -> float | None:
        return self.pays[rollout.completion.index]


class Preference(Share):
    """The same, but shapes."""

    shapes: ClassVar[bool] = True


class Broken(Reward):
    """Crashes on a group with a completion of 4 tokens, and miscounts one that has 5."""

    per_group: ClassVar[bool] = True

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        lengths = [sum(r.completion.sampled) for r in rollouts]
        if 4 in lengths:
            raise ValueError("four")
        return [1.0] * (1 if 5 in lengths else len(lengths))


def terms(spec: Any, **stage: Any) -> tuple[Weighted, ...]:
    built = build("stage", {**STEP, **stage, "reward": spec})
    return fitted(built.reward, max_tokens=built.max_tokens, steps=built.steps)


def a_group(rights: Sequence[float], lengths: Sequence[int], number: int = 0) -> Group:
    """One sample per entry; nan is a grading error."""
    rows = [make_rollout(number, i, r, n) for i, (r, n) in enumerate(zip(rights, lengths, strict=True))]
    return Group(rows[0].problem, tuple(rows))


def rewarded(groups: Group | Sequence[Group], weighted: Sequence[Weighted], step: int = 0) -> Rewarded:
    return reward([groups] if isinstance(groups, Group) else groups, weighted, 0, step)


def paid(groups: Group | Sequence[Group], weighted: Sequence[Weighted], step: int = 0) -> list[float | None]:
    return [r.reward for g in rewarded(groups, weighted, step).groups for r in g.rollouts]


def parts(
    groups: Group | Sequence[Group], weighted: Sequence[Weighted], name: str, step: int = 0
) -> list[float | None]:
    return [r.reward_parts[name] for g in rewarded(groups, weighted, step).groups for r in g.rollouts]


def own(*pays: float | None, shapes: bool = False, **about: Any) -> Weighted:
    term = (Preference if shapes else Share)(pays=pays)
    return Weighted(use=term, **{"name": "shape" if shapes else "judge", **about})


# ------------------------------------------------------------------------------------------------ each term


def test_lengths_are_of_sampled_tokens() -> None:
    whole = make_rollout(0, 0, 1.0, 100)
    tool = replace(whole, completion=replace(whole.completion, sampled=(True,) * 80 + (False,) * 20))
    own_words = make_rollout(0, 1, 1.0, 80)
    for name in SHAPING:
        settings = {"target": 100} if name == "l1_length" else {}
        term = build("reward", {"name": name, **settings}).with_max_tokens(100)
        pair = [term.score([r, make_rollout(0, 2, 1.0, 90)], 0)[0] for r in (tool, own_words)]
        assert pair[0] == pair[1], name
        if name != "repetition":
            assert pair[0] != term.score([whole, make_rollout(0, 2, 1.0, 90)], 0)[0], name


def test_overlong_takes_the_stages_limit_and_a_fifth_of_it_unless_told() -> None:
    assert [(t.use.max_length, t.use.cache) for t in terms("overlong")] == [(100, 20)]  # type: ignore[attr-defined]
    told = terms({"use": {"name": "overlong", "max_length": 90, "cache": 45}})
    assert [(t.use.max_length, t.use.cache) for t in told] == [(90, 45)]  # type: ignore[attr-defined]
    assert told[0].use.score([make_rollout(0, 0, NAN, n) for n in (45, 54, 90, 100)], 0) == [0.0, -0.2, -1.0, -1.0]
    assert terms("overlong", max_tokens=3)[0].use.score(a_group([1, 1], [2, 3]).rollouts, 0) == [0.0, -1.0]


@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 1000))
def test_overlong_never_rises_with_length(limit: int, cache: int, length: int) -> None:
    here, longer = soft_overlong(length, limit, cache), soft_overlong(length + 1, limit, cache)
    assert -1 <= longer <= here <= 0 and soft_overlong(limit, limit, cache) == -1


def test_cosine_pays_by_verdict_and_length_and_least_for_what_was_cut() -> None:
    group = a_group([1.0, 1.0, 0.0, 0.0, 1.0, NAN], [50, 100, 50, 100, 101, 50])
    cut = replace(group.rollouts[2], completion=replace(group.rollouts[2].completion, finish=Finish.LENGTH))
    term = build("reward", {"name": "cosine", "max_length": 100, "exceeded": -3})
    found = term.score([*group.rollouts, cut], 0)
    assert found[:5] == pytest.approx([1.5, 1.0, -5.0, 0.0, -3.0], abs=1e-12)
    assert isinstance(found[5], Failed) and found[6] == -3
    assert cosine(2000, 1000, 2.0, 1.0) == cosine(1000, 1000, 2.0, 1.0) == 1.0  # it does not rise again
    assert terms("cosine", max_tokens=64)[0].use.max_length == 64  # type: ignore[attr-defined]


def test_kimi_compares_within_a_group_and_leaves_out_what_was_not_graded() -> None:
    two = [a_group([1.0, 1.0, 0.0], [10, 20, 30]), a_group([1.0, 1.0, 0.0], [100, 300, 100])]
    two[1] = Group(two[0].problem, tuple(replace(r, problem=two[0].problem) for r in two[1].rollouts))  # asked twice
    weighted = terms(["correct", {"use": "kimi_length", "weight": 0.5}])
    assert parts(two, weighted, "kimi_length") == [0.5, 0.0, -0.5, 0.5, -0.5, 0.0]
    assert paid(two, weighted) == [1.25, 1.0, -0.25, 1.25, 0.75, 0.0]
    failed = a_group([1.0, 1.0, 0.0, NAN], [10, 20, 30, 1000])
    assert parts(failed, weighted, "kimi_length") == [0.5, 0.0, -0.5, None]
    assert parts(a_group([1.0], [7]), weighted, "kimi_length") == [0.0]
    assert parts(a_group([NAN], [7]), weighted, "kimi_length") == [None]
    assert parts(a_group([1.0, 0.0], [7, 7]), weighted, "kimi_length") == [0.0, 0.0]
    assert kimi_length([], []) == []


def test_l1_reads_its_target_from_the_setting_or_the_problem() -> None:
    r = make_rollout(0, 0, 0.0, 50)
    said: list[Any] = [40, 60.0, "40", True, -1, math.inf, None]
    rows = [replace(r, problem=replace(r.problem, meta={"want": value})) for value in said]
    found = build("reward", {"name": "l1_length", "meta": "want", "alpha": 0.01}).score(rows, 0)
    assert found[:2] == pytest.approx([-0.1, -0.1]) and all(isinstance(score, Failed) for score in found[2:])
    assert found[2] == Failed("the problem's 'want' is no number of tokens: 40")
    assert build("reward", "l1_length").score([r], 0) == [Failed("the problem's meta has no 'target_tokens'")]
    assert build("reward", {"name": "l1_length", "target": 50}).score(rows, 0) == [0.0] * 7


def test_repetition_counts_own_tokens_and_words_without_ids() -> None:
    r = make_rollout(0, 0, 1.0, 6)
    term = build("reward", {"name": "repetition", "ngram_size": 2})

    def of(ids: tuple[int, ...], sampled: str) -> Score:
        own = tuple(mark == "x" for mark in sampled)
        return term.score([replace(r, completion=replace(r.completion, token_ids=ids, sampled=own))], 0)[0]

    assert of((1, 2, 1, 2, 1, 2), "xxxxxx") == pytest.approx(-3 / 5)
    assert of((1, 2, 1, 2, 1, 2), "xx..xx") == pytest.approx(-1 / 2)  # 12 and 12; nothing over the gap
    assert of((1, 2, 1, 2, 1, 2), "......") == 0.0
    text = replace(r, completion=replace(r.completion, token_ids=None), parsed=replace(r.parsed, text="So so\nSO  so"))
    assert term.score([text], 0) == pytest.approx([-2 / 3])
    assert str(term.score([make_rollout(0, 0, 1.0, 6)], 0)[0]) == "0.0"  # not minus zero


@given(st.lists(st.lists(st.integers(0, 3), max_size=12), max_size=4), st.integers(1, 6))
def test_the_share_of_repeated_ngrams_counts_each_beyond_its_first(runs: list[list[int]], n: int) -> None:
    seen: list[tuple[int, ...]] = [tuple(run[i : i + n]) for run in runs for i in range(len(run)) if i + n <= len(run)]
    again = sum(gram in seen[:place] for place, gram in enumerate(seen))
    assert repeated(runs, n) == pytest.approx(again / len(seen) if seen else 0.0) and 0 <= repeated(runs, n) < 1


def test_a_term_of_groups_that_crashes_costs_its_group_and_no_other() -> None:
    groups = [a_group([1.0, 1.0], [4, 2], 0), a_group([1.0, 1.0], [3, 3], 1), a_group([1.0, 1.0], [5, 1], 2)]
    found = rewarded(groups, (Weighted(use=Broken()),))
    assert [r.reward for g in found.groups for r in g.rollouts] == [None, None, 1.0, 1.0, None, None]
    assert found.failure == "reward term 'Broken': ValueError: four"


# ------------------------------------------------------------------------------------------------ in a recipe


@pytest.mark.parametrize(
    ("spec", "where", "what"),
    [
        ({"use": "overlong", "cash": 3}, "reward.cash", "unknown key 'cash'"),
        ({"use": {"name": "overlong", "cash": 3}}, "reward.use.cash", "unknown key 'cash'"),
        ({"use": {"name": "overlong", "max_length": 10, "cache": 11}}, "reward.use", "every completion would cost"),
        ({"use": {"name": "overlong", "cache": 101}}, "", "reward term 'overlong': cache 101 is more than the stage's"),
        ({"use": {"name": "overlong", "max_length": 125}}, "", "it begins above 100 tokens, and completions have at most"),
        ({"use": {"name": "l1_length", "target": 5, "meta": "n"}}, "reward.use", "meta has no effect beside target"),
        ({"use": {"name": "cosine", "right_long": math.nan}}, "reward.use.right_long", "finite"),
        ({"use": {"name": "repetition", "ngram_size": 0}}, "reward.use.ngram_size", "greater than 0"),
        ([{"use": "correct", "alone": True}], "reward[0]", "alone: true has no effect: correct judges"),
        ([{"use": "kimi_length", "alone": False}], "reward[0]", "alone: false has no effect: kimi_length shapes"),
        ([{"use": "correct", "after": -1}], "reward[0].after", "greater than or equal to 0"),
        ([{"use": "correct", "after": 1}], "reward", "no reward term counts from the first step"),
        (["correct", {"use": "overlong", "after": 10}], "", "'overlong' has no effect: after 10, and the stage has 10"),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(spec: Any, where: str, what: str) -> None:
    with pytest.raises(KeyedConfigError) as caught:
        terms(spec)
    assert (caught.value.where, what in caught.value.what) == (where, True), caught.value.what


@pytest.mark.parametrize("name", SHAPING)
def test_a_shaping_term_survives_the_resolved_recipe(name: str, tmp_path: Path) -> None:
    built = build("stage", {**STEP, "reward": ["correct", {"use": name, "after": 3, "alone": True}]})
    spec = json.loads(json.dumps(built.model_dump(mode="json", by_alias=True)))
    assert build("stage", spec, BuildContext(tmp_path)) == built
    assert built.reward[1].use.shapes and built.reward[1].stands_alone and built.reward[1].after == 3


# ------------------------------------------------------------------------------------------------ warm-up


def test_a_term_counts_from_its_step_on_and_is_logged_before() -> None:
    group = a_group([1.0, 0.0], [10, 20])
    weighted = terms(["correct", {"use": "kimi_length", "after": 2}])
    assert [paid(group, weighted, step) for step in (0, 1, 2, 3)] == [[1.0, 0.0]] * 2 + [[1.5, -0.5]] * 2
    assert {tuple(parts(group, weighted, "kimi_length", step)) for step in range(4)} == {(0.5, -0.5)}


def test_a_failure_before_a_terms_first_step_is_told_and_costs_nothing() -> None:
    weighted = (own(1.0, 0.0), own(NAN, 0.5, shapes=True, after=1))
    early, later = (rewarded(a_group([1.0, 0.0], [3, 3]), weighted, step) for step in (0, 1))
    assert [r.reward for r in early.groups[0].rollouts] == [1.0, 0.0]
    assert [r.reward for r in later.groups[0].rollouts] == [None, 0.5]
    assert early.failure == later.failure == "reward term 'shape': broken"


# ------------------------------------------------------------------------------------------------ the accident

SPECS = [
    ["correct", {"use": name, "weight": weight}]
    for name, weight in (("overlong", 1.0), ("kimi_length", 0.001), ("repetition", 1.0))
]
SPECS += [["correct", {"use": {"name": "l1_length", "target": 9}}], "cosine", ["cosine", "overlong", "repetition"]]
LENGTHS = (3, 81, 90, 100)


def repeating(group: Group) -> Group:
    """The same with token ids of which a completion's first half comes twice."""
    rows = [
        replace(r, completion=replace(r.completion, token_ids=tuple(i % (i // 7 + 4) for i in range(len(r.completion.sampled)))))
        for r in group.rollouts
    ]  # fmt: skip
    return Group(group.problem, tuple(rows))


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("right", [1.0, 0.0])
def test_a_group_of_one_verdict_learns_nothing_from_shaping_alone(spec: Any, right: float) -> None:
    group = repeating(a_group([right] * 4, LENGTHS))
    for algorithm in (GRPO(), DrGRPO(max_length=100), RLOO()):
        found = rewarded(group, terms(spec))
        credit = algorithm.credit(to_step(found.groups))
        assert not credit.advantage_T.any() and not credit.live_N.any()
        raw = [tuple(r.reward_parts.values()) for r in found.groups[0].rollouts]
        assert found.levelled == 1 and len(set(raw)) > 1, "the parts stay as they are"
    told = [{**(t if isinstance(t, dict) else {"use": t}), "alone": True} for t in spec if t != "correct"]
    loud = rewarded(group, terms(["correct", *told] if spec != "cosine" else [{"use": "cosine", "alone": True}]))
    credit = GRPO().credit(to_step(loud.groups))
    assert loud.levelled == 0 and credit.live_N.all() and credit.advantage_T.abs().max() > 0.9, (
        "unit size: the accident"
    )


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("right", [1.0, 0.0])
def test_nor_do_several_groups_of_one_verdict_against_each_other(spec: Any, right: float) -> None:
    """A baseline may be of the whole step: REINFORCE's, REINFORCE++'s, a critic."""
    groups = [
        repeating(a_group([right] * 4, lengths, n)) for n, lengths in enumerate((LENGTHS, (3, 4, 5, 6), (100,) * 4))
    ]
    found = reward(groups, terms(spec), 0, 0)
    assert len({r.reward for group in found.groups for r in group.rollouts}) == 1
    mixed = a_group([1.0, 1.0, 0.0, 0.0], LENGTHS, 3)
    beside = reward([*groups, repeating(mixed)], terms(spec), 0, 0)
    assert len({r.reward for group in beside.groups[:3] for r in group.rollouts}) == 1
    assert [r.reward for r in beside.groups[3].rollouts] == paid(repeating(mixed), terms(spec))
    for spec_of in ({"name": "reinforce"}, {"name": "reinforce_pp", "kl": None}):
        credit = build("algorithm", spec_of).credit(to_step(found.groups))
        assert not credit.advantage_T.any() and not credit.live_N.any()


def test_groups_of_several_rounds_are_levelled_as_if_they_were_of_one() -> None:
    weighted = terms(["correct", {"use": {"name": "overlong", "max_length": 20, "cache": 10}}])
    one, two = a_group([1.0] * 4, [10, 12, 14, 16], 0), a_group([1.0] * 4, [18, 19, 20, 20], 1)
    mixed, failed = (
        a_group([1.0, 0.0, 1.0, 1.0], [11, 13, 15, 20], 2),
        a_group([1.0, NAN, 1.0, 1.0], [11, 13, 15, 20], 3),
    )
    whole = [one, mixed, two, failed]
    rounds = [group for part in ((one, mixed), (two, failed)) for group in rewarded(part, weighted).groups]
    assert rounds[0].rollouts[0].reward != rounds[2].rollouts[0].reward, "each round has a mean of its own"
    found, levelled = level(rounds, weighted, 0)
    assert (found, levelled) == (rewarded(whole, weighted).groups, 3)
    assert level(found, weighted, 0) == (found, levelled), "once more changes nothing"
    assert level(rounds[::-1], weighted, 0)[0] == found[::-1]
    for algorithm in ({"name": "reinforce"}, {"name": "reinforce_pp", "kl": None}):
        credit = build("algorithm", algorithm).credit(to_step([found[0], found[2]]))
        assert not credit.advantage_T.any() and not credit.live_N.any()


def test_a_group_that_a_term_does_not_apply_to_is_left_as_it_is() -> None:
    rows = [make_rollout(1, index, 1.0, 3) for index in (2, 3)]
    groups = [a_group([1.0, 1.0], [1, 2]), Group(rows[0].problem, tuple(rows))]
    assert paid(groups, (own(*[1.0] * 4), own(0.0, -1.0, None, None, shapes=True))) == [0.5, 0.5, 1.0, 1.0]
    assert paid(groups, (own(*[1.0] * 4), own(0.0, -1.0, 1.0, None, shapes=True))) == [1.0] * 4


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_groups_of_one_are_compared_with_each_other(spec: Any) -> None:
    weighted = terms(spec)

    def of(*rights: float) -> list[Rollout]:
        alone = [a_group([right], [n], i) for i, (right, n) in enumerate(zip(rights, LENGTHS, strict=True))]
        return [group.rollouts[0] for group in reward([repeating(g) for g in alone], weighted, 0, 0).groups]

    for right in (1.0, 0.0):
        assert len({r.reward for r in of(right, right, right, right)}) == 1
    for r in of(1.0, 0.0, 1.0, 0.0):
        assert r.reward == pytest.approx(sum(t.weight * (r.reward_parts[t.name] or 0.0) for t in weighted))


def test_levelled_is_the_mean_of_the_group_not_nothing() -> None:
    weighted = (own(1.0, 1.0, 1.0), own(0.0, -0.5, -1.0, shapes=True, weight=0.5))
    assert paid(a_group([1.0] * 3, [1, 2, 3]), weighted) == [0.75] * 3


def test_a_shaping_term_counts_where_verdicts_or_other_terms_differ() -> None:
    shape = own(0.0, -0.5, -1.0, shapes=True)
    assert paid(a_group([1.0, 1.0, 0.0], [1, 2, 3]), (own(1.0, 1.0, 1.0), shape)) == [1.0, 0.5, 0.0]
    assert paid(a_group([1.0] * 3, [1, 2, 3]), (own(1.0, 1.0, 0.5), shape)) == [1.0, 0.5, -0.5]
    other = own(1.0, 1.0, None, name="sometimes")  # a term that does not apply adds nothing: 1, 1 and 0
    assert paid(a_group([1.0] * 3, [1, 2, 3]), (other, shape)) == [1.0, 0.5, -1.0]


def test_the_sum_of_the_others_is_what_they_say_and_rounding_says_nothing() -> None:
    one, two = own(0.1, 0.3), own(0.2, 0.0, name="two")
    assert 0.1 + 0.2 != 0.3
    found = rewarded(a_group([1.0, 1.0], [1, 2]), (one, two, own(0.0, -1.0, shapes=True)))
    assert found.levelled == 1
    credit = RLOO().credit(to_step(found.groups))
    assert not credit.live_N.any() and not credit.advantage_T.any()
    assert paid(a_group([1.0, 1.0], [1, 2]), (one, two)) == [0.1 + 0.2, 0.3], "what judges is never levelled"
    real = rewarded(a_group([1.0, 1.0], [1, 2]), (own(0.0, 1e-4), own(0.0, -1.0, shapes=True)))
    assert real.levelled == 0


def test_what_has_no_reward_has_no_say_in_whether_a_group_is_of_one_verdict() -> None:
    shape = own(0.0, -0.5, -1.0, shapes=True)
    cases = {
        "grading failed": (a_group([1.0, 1.0, NAN], [1, 2, 3]), (own(1.0, 1.0, 1.0), shape)),
        "a term failed": (a_group([1.0, 1.0, 0.0], [1, 2, 3]), (own(1.0, 1.0, NAN), shape)),
        "the shaping term failed": (a_group([1.0, 1.0, 0.0], [1, 2, 3]), (own(1.0, 1.0, 0.0), own(0.0, -0.5, NAN, shapes=True))),
    }  # fmt: skip
    for why, (group, weighted) in cases.items():
        found = rewarded(group, weighted)
        assert [r.reward for r in found.groups[0].rollouts] == [0.75, 0.75, None], why
        assert found.levelled == 1, why
    assert paid(a_group([NAN, NAN], [1, 2]), (shape,)) == [None, None]


def test_a_shaping_term_that_applies_to_some_only_tells_them_not_apart_either() -> None:
    found = rewarded(a_group([1.0] * 3, [1, 2, 3]), (own(1.0, 1.0, 1.0), own(None, None, -0.5, shapes=True)))
    assert [r.reward for r in found.groups[0].rollouts] == [0.5] * 3 and found.levelled == 1


def test_nothing_is_levelled_where_there_is_nothing_to_level() -> None:
    for group, shape in (
        (a_group([1.0], [1]), own(-0.3, shapes=True)),
        (a_group([1.0, 1.0], [1, 2]), own(-0.3, -0.3, shapes=True)),
        (a_group([1.0, 1.0], [1, 2]), own(-0.3, -0.9, shapes=True, after=1)),
    ):
        found = rewarded(group, (own(1.0, 1.0), shape))
        assert found.levelled == 0
    assert paid(a_group([1.0], [1]), (own(1.0), own(-0.3, shapes=True))) == [0.7]


def test_a_users_length_term_can_say_that_it_shapes() -> None:
    group = a_group([1.0, 1.0], [1, 2])
    plain, levelled = own(0.2, 0.8, name="short"), own(0.2, 0.8, name="short", alone=False)
    assert paid(group, (own(1.0, 1.0), plain)) == [1.2, 1.8]
    assert paid(group, (own(1.0, 1.0), levelled)) == [1.5, 1.5]


def test_the_order_of_a_group_changes_no_reward_and_groups_do_not_know_each_other() -> None:
    group = repeating(a_group([1.0, 0.0, 1.0, NAN], LENGTHS))
    pure = repeating(a_group([1.0] * 4, LENGTHS, 1))
    weighted = terms(["correct", "overlong", "kimi_length", "repetition", {"use": {"name": "l1_length", "target": 9}}])
    straight = paid([group, pure], weighted)
    turned = [Group(g.problem, g.rollouts[::-1]) for g in (pure, group)]
    assert paid(turned, weighted) == pytest.approx(straight[::-1], abs=1e-15)  # type: ignore[comparison-overlap]
    assert [*paid(group, weighted), *paid(pure, weighted)] == straight


def test_what_is_cut_is_not_both_masked_and_punished() -> None:
    with pytest.raises(KeyedConfigError, match="choose one of them"):
        build("stage", {**STEP, "mask_truncated": True, "reward": ["correct", "overlong"]})
    cosine = {"name": "cosine", "max_length": 20}
    build("stage", {**STEP, "mask_truncated": True, "reward": [{"use": cosine}]})
    with pytest.raises(KeyedConfigError, match="exceeded"):
        build("stage", {**STEP, "mask_truncated": True, "reward": [{"use": {**cosine, "exceeded": -2.0}}]})

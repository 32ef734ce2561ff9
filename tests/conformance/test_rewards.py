"""What every reward term must keep to, of one rollout or of a group. A new file in `rewards/` is tested by being there."""

from __future__ import annotations

import math
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from builders import EXACT, NAN, make_rollout
from earnest.component import BuildContext, build, names
from earnest.data.rewarding import ask, reward
from earnest.prompts.parse import split_thought
from earnest.rewards.base import Failed, Reward, Weighted
from earnest.types import Finish, Group, Message, Problem, Rollout

SIZE = 8
MAX_TOKENS = 9

TEXTS = (
    "<think>6*7</think>42",
    "<think>6*7</think>43",
    "42",
    "",
    "<think>no end",
    "\x1b[2J \ud800",
    "<think>a</think>42",
)


def rollout(index: int) -> Rollout:
    """Right and wrong, cut and whole, short and long, graded and not, asked as text and as messages."""
    text, group, place = TEXTS[index % len(TEXTS)], index // SIZE, index % SIZE
    score = NAN if index == 11 else float("42" in text)
    plain = make_rollout(group, place, score, 1 + 5 * index % MAX_TOKENS, finished=index != 6)
    prompt = (Message("user", "6*7?"),) if index % 2 else "6*7?"
    meta = {"level": index, "target_tokens": 4}
    problem = Problem(id=str(group), task="t", prompt=prompt, answer="42", meta=meta)
    verdict = replace(plain.verdict, reason="broken" if index == 11 else "")
    return replace(plain, problem=problem, verdict=verdict, parsed=split_thought(text, opened=False, required=False))


ROLLOUTS = [rollout(i) for i in range(3 * SIZE)]
GROUPS = [Group(ROLLOUTS[i].problem, tuple(ROLLOUTS[i : i + SIZE])) for i in range(0, len(ROLLOUTS), SIZE)]


@pytest.fixture(params=names("reward"))
def term(request: pytest.FixtureRequest, tmp_path: Path) -> Reward:
    (tmp_path / "rewards.py").write_text(EXACT.replace("text.rpartition", "str(text).rpartition"), encoding="utf-8")
    name = "rewards.py:exact" if request.param == "function" else request.param
    return build("reward", name, BuildContext(tmp_path)).with_max_tokens(MAX_TOKENS)


def test_one_finite_score_per_rollout_whatever_the_order(term: Reward) -> None:
    for block in [list(g.rollouts) for g in GROUPS] if term.per_group else [ROLLOUTS]:
        found = term.score(block, 3)
        assert len(found) == len(block) and any(isinstance(score, float) for score in found)
        for score in found:
            assert score is None or (isinstance(score, Failed) and score.reason) or math.isfinite(score)  # type: ignore[arg-type]
        assert term.score(block, 3) == found
        assert term.score(block[::-1], 3) == found[::-1]
        shuffled = random.Random(0).sample(range(len(block)), len(block))
        assert term.score([block[i] for i in shuffled], 3) == [found[i] for i in shuffled]
    assert term.score([], 3) == []


def test_a_score_is_from_its_rollout_or_its_group_alone(term: Reward) -> None:
    found = ask(term, GROUPS, 3)
    if not term.per_group:
        assert found == term.score(ROLLOUTS, 3) == [term.score([r], 3)[0] for r in ROLLOUTS]
        return
    each = [ask(term, [group], 3) for group in GROUPS]
    assert found == [score for scores in each for score in scores]
    assert found != [term.score([r], 3)[0] for r in ROLLOUTS], "no score depends on its group: leave per_group out"
    again = replace(GROUPS[1], problem=GROUPS[0].problem)  # the same problem twice in a step is two groups
    assert ask(term, [GROUPS[0], again], 3) == each[0] + each[1]


def test_the_same_scores_from_any_thread(term: Reward) -> None:
    found = ask(term, GROUPS, 3)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: ask(term, GROUPS, 3), range(8))) == [found] * 8


def test_no_verdict_changes_and_what_was_not_graded_has_no_reward(term: Reward) -> None:
    weighted = [Weighted(use=term, weight=2.0)]
    after = [r for group in reward(GROUPS, weighted, 3, 0).groups for r in group.rollouts]
    assert [r.verdict for r in after] == [r.verdict for r in ROLLOUTS]
    assert [r.completion for r in after] == [r.completion for r in ROLLOUTS]
    assert after[11].reward is None and ROLLOUTS[6].completion.finish is Finish.LENGTH
    for r in after:  # every group has right and wrong, so no term is levelled
        part = r.reward_parts[term.label]
        assert r.reward is None or r.reward == 2 * part  # type: ignore[operator]


def test_its_label_is_a_word(term: Reward) -> None:
    assert Weighted(use=term).name == term.label and term.label.isidentifier()

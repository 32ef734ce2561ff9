"""What every reward term must keep to. A new file in `rewards/` is tested by being there."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from builders import EXACT, NAN, make_rollout
from earnest.component import BuildContext, build, names
from earnest.data.rewarding import reward
from earnest.prompts.parse import split_thought
from earnest.rewards.base import Failed, Reward, Weighted
from earnest.types import Finish, Group, Message, Problem, Rollout

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
    """Right and wrong, cut and whole, graded and not, asked as text and as messages."""
    text = TEXTS[index % len(TEXTS)]
    plain = make_rollout(index // 8, index % 8, NAN if index == 11 else float("42" in text), 3, finished=index != 6)
    prompt = (Message("user", "6*7?"),) if index % 2 else "6*7?"
    problem = Problem(id=str(index // 8), task="t", prompt=prompt, answer="42", meta={"level": index})
    verdict = replace(plain.verdict, reason="broken" if index == 11 else "")
    return replace(plain, problem=problem, verdict=verdict, parsed=split_thought(text, opened=False, required=False))


ROLLOUTS = [rollout(i) for i in range(24)]


@pytest.fixture(params=names("reward"))
def term(request: pytest.FixtureRequest, tmp_path: Path) -> Reward:
    (tmp_path / "rewards.py").write_text(EXACT.replace("text.rpartition", "str(text).rpartition"), encoding="utf-8")
    name = "rewards.py:exact" if request.param == "function" else request.param
    return build("reward", name, BuildContext(tmp_path))


def test_one_finite_score_per_rollout_each_from_that_rollout_alone(term: Reward) -> None:
    found = term.score(ROLLOUTS, 3)
    assert len(found) == len(ROLLOUTS) and any(isinstance(score, float) for score in found)
    for score in found:
        assert score is None or (isinstance(score, Failed) and score.reason) or math.isfinite(score)  # type: ignore[arg-type]
    assert term.score(ROLLOUTS, 3) == found
    assert term.score(ROLLOUTS[::-1], 3) == found[::-1]
    assert [term.score([r], 3)[0] for r in ROLLOUTS] == found
    assert term.score([], 3) == []


def test_the_same_scores_from_any_thread(term: Reward) -> None:
    found = term.score(ROLLOUTS, 3)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: term.score(ROLLOUTS, 3), range(8))) == [found] * 8


def test_no_verdict_changes_and_what_was_not_graded_has_no_reward(term: Reward) -> None:
    after = (
        reward([Group(ROLLOUTS[0].problem, tuple(ROLLOUTS))], [Weighted(use=term, weight=2.0)], 3).groups[0].rollouts
    )
    assert [r.verdict for r in after] == [r.verdict for r in ROLLOUTS]
    assert [r.completion for r in after] == [r.completion for r in ROLLOUTS]
    assert after[11].reward is None and ROLLOUTS[6].completion.finish is Finish.LENGTH
    for r in after:
        part = r.reward_parts[term.label]
        assert r.reward is None or r.reward == 2 * part  # type: ignore[operator]


def test_its_label_is_a_word(term: Reward) -> None:
    assert Weighted(use=term).name == term.label and term.label.isidentifier()

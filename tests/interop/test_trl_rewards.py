"""TRL's reward functions in our training, and ours in TRL's: one contract, the same numbers. TRL 1.16, the extra `interop`."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import earnest
from builders import make_rollout
from earnest.component import BuildContext, build
from earnest.models.base import Policy
from earnest.prompts.parse import split_thought
from earnest.rewards.base import Failed
from earnest.types import Message, Problem, Rollout

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("trl") is None, reason="trl is not installed: the extra `interop`"),
]

REWARDS = '''
import json, os

def graded(prompts, completions, completion_ids, level, trainer_state=None, **kwargs):
    """What a GRPOTrainer user writes: a column of the data set by its name, the rest in **kwargs."""
    texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
    found = [len(set(t)) / 10 + n if n < 3 else None for t, n in zip(texts, level)]
    if "SEEN" in os.environ:
        with open(os.environ["SEEN"], "a") as file:
            row = {"prompts": prompts, "texts": texts, "ids": completion_ids, "level": level, "scores": found}
            file.write(json.dumps({**row, "names": sorted(kwargs)}) + "\\n")
    return found
'''


def rollout(text: str, *, opened: bool = False, talk: bool = True, **fields: Any) -> Rollout:
    prompt = (Message("user", "6*7?"),) if talk else "6*7?"
    problem = Problem(id="p", task="t", prompt=fields.get("prompt", prompt), answer="42", meta=fields.get("meta", {}))
    parsed = split_thought(text, opened=opened, required=False)
    plain = make_rollout(0, 0, 0.0, 3)
    ids = fields.get("ids", (1, 2, 3))
    return replace(plain, problem=problem, parsed=parsed, completion=replace(plain.completion, token_ids=ids))


@pytest.mark.parametrize(
    ("text", "opened", "score"),
    [
        ("<think>6*7</think>42", False, 1.0),
        ("<think>\n6*7\n</think>\n42", False, 1.0),
        ("6*7</think>42", True, 1.0),  # the template had opened it: TRL on the bare text gives 0
        ("6*7</think>42", False, 0.0),
        ("<think>6*7 42", False, 0.0),
        ("<think>6*7</think>42", True, 0.0),  # opened twice
        ("42", False, 0.0),
    ],
)
def test_trls_format_reward_sees_the_thought_in_all_shapes(text: str, opened: bool, score: float) -> None:
    term = build("reward", "trl.rewards:think_format_reward")
    assert term.label == "think_format_reward"
    assert term.score([rollout(text, opened=opened)], 0) == [score]


def test_trls_own_rewards_read_conversations_only_and_the_failure_says_so() -> None:
    (failed,) = build("reward", "trl.rewards:think_format_reward").score(
        [rollout("<think>6*7</think>42", talk=False)], 0
    )
    assert isinstance(failed, Failed) and "TypeError: string indices" in failed.reason


def test_overlong_and_repetition_are_trls() -> None:
    from trl.rewards import get_repetition_penalty_reward, get_soft_overlong_punishment

    drawn = random.Random(0)
    ids = [[drawn.randrange(4) for _ in range(length)] for length in (*range(12), *range(40, 61))]
    rollouts = [
        replace(plain, completion=replace(plain.completion, token_ids=tuple(row)))
        for row in ids
        for plain in [make_rollout(0, 0, 0.0, len(row))]
    ]
    for n in (1, 2, 3, 5):
        term = build("reward", {"name": "repetition", "ngram_size": n})
        assert term.score(rollouts, 0) == pytest.approx(get_repetition_penalty_reward(n, -1.0)(ids), abs=1e-12)
    for limit, cache in ((50, 10), (60, 7), (45, 45)):
        term = build("reward", {"name": "overlong", "max_length": limit, "cache": cache})
        assert term.score(rollouts, 0) == pytest.approx(get_soft_overlong_punishment(limit, cache)(ids), abs=1e-12)


def test_a_function_gives_the_same_numbers_in_trls_trainer(
    tmp_path: Path, tiny_policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    (tmp_path / "rewards.py").write_text(REWARDS, encoding="utf-8")
    tiny_policy.save(tmp_path / "model")
    monkeypatch.setenv("SEEN", str(tmp_path / "seen.jsonl"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "rewards", raising=False)
    from rewards import graded  # type: ignore[import-not-found]

    rows = [{"prompt": f"question {n}", "level": n} for n in range(4)]
    config = GRPOConfig(
        output_dir=str(tmp_path / "out"), per_device_train_batch_size=8, num_generations=4, max_completion_length=6,
        max_steps=1, use_cpu=True, report_to=[], logging_strategy="no", save_strategy="no", seed=0, bf16=False,
    )  # fmt: skip
    GRPOTrainer(
        model=str(tmp_path / "model"), reward_funcs=graded, args=config, train_dataset=Dataset.from_list(rows)
    ).train()
    monkeypatch.delenv("SEEN")
    (seen,) = [json.loads(line) for line in (tmp_path / "seen.jsonl").read_text().splitlines()]
    rollouts = [
        rollout(text, talk=False, prompt=prompt, ids=tuple(ids), meta={"level": level})
        for prompt, text, ids, level in zip(seen["prompts"], seen["texts"], seen["ids"], seen["level"], strict=True)
    ]
    term = build("reward", "rewards.py:graded", BuildContext(tmp_path))
    assert term.score(rollouts, 0) == seen["scores"] and len(rollouts) == 8
    assert any(seen["scores"]) and {"log_metric", "log_extra"} <= set(seen["names"])


class Recorded:
    """A reward of ours that notes what TRL called it with and what it said."""

    def __init__(self, **settings: Any) -> None:
        self.reward = earnest.trl_reward("number", **settings)
        self.__name__ = self.reward.__name__
        self.calls: list[tuple[list[Any], list[Any], list[float | None]]] = []

    def __call__(self, prompts: list[Any], completions: list[Any], **columns: Any) -> list[float | None]:
        found = self.reward(prompts, completions, **columns)
        self.calls.append((completions, columns["solution"], found))
        return found


@pytest.mark.parametrize("talk", [False, True])
def test_our_verifier_is_a_reward_of_trls_trainer(tmp_path: Path, tiny_policy: Policy, talk: bool) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    tiny_policy.save(tmp_path / "model")
    golds = ["1", "2", "no number", "4"]  # the third cannot be graded
    prompts = [[{"role": "user", "content": f"{n}+1="}] if talk else f"{n}+1=" for n in range(4)]
    rows = [{"prompt": prompt, "solution": gold} for prompt, gold in zip(prompts, golds, strict=True)]
    config = GRPOConfig(
        output_dir=str(tmp_path / "out"), per_device_train_batch_size=8, num_generations=2, max_completion_length=6,
        max_steps=2, use_cpu=True, report_to=[], logging_steps=1, save_strategy="no", seed=0, bf16=False,
    )  # fmt: skip
    reward = Recorded(answer_column="solution")
    trainer = GRPOTrainer(
        model=str(tmp_path / "model"), reward_funcs=[reward], args=config, train_dataset=Dataset.from_list(rows)
    )
    trainer.train()
    assert len(reward.calls) == 2 and all(len(found) == 8 for _, _, found in reward.calls)
    for completions, solutions, found in reward.calls:
        assert [type(c) for c in completions] == [list if talk else str] * 8
        texts = [c[0]["content"] if talk else c for c in completions]
        verdicts = earnest.verify("number", list(zip(texts, solutions, strict=True)))
        assert found == [verdict.score for verdict in verdicts]
        assert [score is None for score in found] == [gold == "no number" for gold in solutions]
    logged = [row for row in trainer.state.log_history if "rewards/number/mean" in row]
    assert len(logged) == 2 and all(row["number/error"] == 0.25 for row in logged)


def test_trls_own_rewards_give_0_in_shapes_in_which_ours_pays() -> None:
    """What makes one function for all shapes worth having: TRL 1.16's answers to the same right completion."""
    from trl.rewards import accuracy_reward, reasoning_accuracy_reward, think_format_reward

    right = "\\boxed{42}"
    inline = [{"role": "assistant", "content": f"<think>6*7</think>{right}"}]
    prefilled = [{"role": "assistant", "content": f"6*7</think>{right}"}]
    parsed = [{"role": "assistant", "reasoning_content": "6*7", "content": right}]
    shapes = [inline, prefilled, parsed]
    assert think_format_reward(shapes) == [1.0, 0.0, 0.0]
    assert reasoning_accuracy_reward(shapes, ["$42$"] * 3) == [1.0, 1.0, 0.0]
    with pytest.raises(TypeError):
        accuracy_reward([right], ["$42$"])
    ours = earnest.trl_reward("number", thought="required")
    assert ours(["?"] * 4, [*shapes, f"6*7</think>{right}"], solution=["42"] * 4) == [1.0] * 4

"""TRL's reward functions in our training, and ours in TRL's: one contract, the same numbers. TRL 1.16, the extra `interop`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

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

"""`earnest.trl_reward`: a verifier called as TRL calls a reward function, on every shape of completion that TRL hands on."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import earnest
from earnest.errors import ConfigError
from earnest.prompts.parse import Thought, split_completion

Q = "6*7?"
TALK = [{"role": "user", "content": Q}]
BEGUN = [*TALK, {"role": "assistant", "content": "<think>\n"}]


def said(content: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": content, **more}]


RIGHT: list[tuple[str, Any, Any, Thought]] = [
    ("text", Q, "<think>6*7</think>The answer is 42.", "optional"),
    ("text without a thought", Q, "42", "optional"),
    ("text after a mark that the prompt wrote", f"{Q}<think>\n", "6*7</think>42", "optional"),
    ("inline", TALK, said("<think>6*7</think>42"), "optional"),
    ("prefilled by the template", TALK, said("6*7</think>42"), "prefilled"),
    ("prefilled, and nobody said so", TALK, said("6*7</think>42"), "optional"),
    ("prefilled by a begun message", BEGUN, said("6*7</think>42"), "optional"),
    ("parsed", TALK, said("42", reasoning_content="6*7"), "optional"),
    ("parsed, a thought is required", TALK, said("42", reasoning_content="6*7"), "required"),
    ("parsed, under another name", TALK, said("42", thinking="6*7"), "prefilled"),
    ("parsed without a thought", TALK, said("42", reasoning_content=None), "optional"),
    ("in parts", TALK, said([{"type": "text", "text": "42"}]), "optional"),
    ("after a tool", TALK, [*said("", tool_calls=[]), {"role": "tool", "content": "41"}, *said("42")], "optional"),
]
WRONG: list[tuple[str, Any, Any, Thought]] = [
    ("never closed", Q, "<think>the answer is 42", "optional"),
    ("never closed, in a message", TALK, said("<think>the answer is 42"), "optional"),
    ("never closed, prefilled by the template", TALK, said("so the answer is 42"), "prefilled"),
    ("never closed, prefilled by the prompt", f"{Q}<think>", "so the answer is 42", "optional"),
    ("never closed, a begun message", BEGUN, said("so the answer is 42"), "optional"),
    ("no thought where one is required", TALK, said("42"), "required"),
    ("all of it thought", TALK, said("", reasoning_content="the answer is 42"), "optional"),
    ("all of it thought, content null", TALK, said(None, reasoning_content="the answer is 42"), "optional"),
    ("right in the thought alone", TALK, said("41", reasoning_content="the answer is 42"), "optional"),
    ("thinks again and stops", TALK, said("<think>42", reasoning_content="6*7"), "optional"),
    ("ends with what a tool said", TALK, [{"role": "tool", "content": "42"}], "optional"),
    ("empty", TALK, said(""), "optional"),
]


@pytest.mark.parametrize(("prompt", "completion", "thought"), [c[1:] for c in RIGHT], ids=[c[0] for c in RIGHT])
def test_right_answers_are_paid_in_every_shape(prompt: Any, completion: Any, thought: Thought) -> None:
    reward = earnest.trl_reward("number", answer_column="solution", thought=thought)
    assert reward(prompts=[prompt], completions=[completion], solution=["42"]) == [1.0]
    assert reward(prompts=[prompt], completions=[completion], solution=["41"]) == [0.0]


@pytest.mark.parametrize(("prompt", "completion", "thought"), [c[1:] for c in WRONG], ids=[c[0] for c in WRONG])
def test_what_is_no_answer_is_not_paid(prompt: Any, completion: Any, thought: Thought) -> None:
    assert earnest.trl_reward("number", thought=thought)([prompt], [completion], solution=["42"]) == [0.0]


@pytest.mark.parametrize(
    ("completion", "prompt", "thought", "answer", "well_formed"),
    [
        ("<think>a</think>b", Q, "a", "b", True),
        (said("<think>a</think>b"), TALK, "a", "b", True),
        (said("a</think>b"), BEGUN, "a", "b", True),
        (said("a</think>b"), TALK, "a", "b", False),
        (said("b", reasoning_content=" a "), TALK, "a", "b", True),
        (said("b</think>c", reasoning_content="a"), TALK, "a", "c", False),
        (said("b", reasoning_content="<think>a"), TALK, "<think>a", "b", False),
    ],
)
def test_the_parts(completion: Any, prompt: Any, thought: str, answer: str, well_formed: bool) -> None:
    parsed = split_completion(completion, prompt)
    assert (parsed.thought, parsed.answer_text, parsed.well_formed) == (thought, answer, well_formed)


@pytest.mark.parametrize("completion", [None, 42, [], ["42"], [[]]])
def test_what_is_no_completion_is_an_error(completion: Any) -> None:
    with pytest.raises(TypeError, match="no completion"):
        split_completion(completion)


def test_a_failure_of_the_grader_is_none_and_is_counted() -> None:
    logged: dict[str, float] = {}
    reward = earnest.trl_reward("number", answer_column="gold", name="exact")
    found = reward(
        prompts=[Q] * 4, completions=["42", "42", "", "41"], completion_ids=[[1]] * 4, gold=["42", "no number at all", "42", 42],
        trainer_state=None, log_extra=None, log_metric=logged.__setitem__,
    )  # fmt: skip
    assert found == [1.0, None, 0.0, 0.0] and logged == {"exact/error": 0.25, "exact/no_answer": 0.25}


def test_the_column_of_golds() -> None:
    reward = earnest.trl_reward("number")
    assert reward([Q], ["42"], answer=["42"], trainer_state=None) == [1.0]
    assert reward([Q], ["42"], solution=["6 times 7 is 42"], answer=["42"]) == [1.0]
    with pytest.raises(ConfigError, match=r"no column of gold answers: gold or answer or solution(.|\n)*level"):
        reward([Q], ["42"], level=[3], trainer_state=None)
    with pytest.raises(ConfigError, match="did you mean 'answers'"):
        earnest.trl_reward("number", answer_column="answer")([Q], ["42"], answers=["42"])
    with pytest.raises(ConfigError, match="did you mean 'number'"):
        earnest.trl_reward("nummer")


OWN = "def levelled(completions, answer, level, **columns):\n    return [float(n == 3) for n in level]\n"


def test_it_can_be_pickled_named_and_called_from_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    mine = earnest.trl_reward("mine.py:levelled")
    monkeypatch.chdir("/")
    again = pickle.loads(pickle.dumps(mine))
    assert mine.__name__ == again.__name__ == "levelled" and earnest.trl_reward("number").__name__ == "number"
    assert again([Q, Q], ["42", "42"], solution=["42", "42"], level=[3, 4]) == [1.0, 0.0]
    reward = earnest.trl_reward("number")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: reward([Q], [f"the answer is {n}"], answer=[str(n % 7)]), range(100)))
    assert found == [[float(n < 7)] for n in range(100)]


def test_it_is_public_and_imports_neither_torch_nor_trl() -> None:
    assert "trl_reward" in earnest.__all__
    code = (
        "import sys, earnest\nassert earnest.trl_reward('number')(['?'], ['42'], answer=['42']) == [1.0]\n"
        "print([m for m in ('torch', 'transformers', 'trl') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"

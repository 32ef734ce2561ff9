"""A verifier as a reward function of TRL's trainers: `GRPOTrainer(reward_funcs=earnest.trl_reward("number"), …)`.

The other way round, a function in TRL's signature as a reward or verifier here, is `sandbox/function.py`. TRL hands completions
on in four shapes, and a function that reads one of them scores 0 on another without a word; `prompts/parse.py` reads all.
Imports neither TRL nor torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from earnest.component import BuildContext, Spec, build
from earnest.data.rollouts import judge
from earnest.errors import ConfigError, nearest
from earnest.prompts.parse import Thought, as_prompt, split_completion
from earnest.types import Item, Problem, Status
from earnest.verifiers import golds
from earnest.verifiers.base import Verifier

ANSWER_COLUMNS = ("solution", "answer", "gold")
_NO_COLUMNS = ("trainer_state", "log_extra", "log_metric", "environments", "completion_ids")


def trl_reward(
    verifier: Spec, *, answer_column: str | None = None, thought: Thought = "optional", name: str | None = None
) -> TrlReward:
    """A verifier as a reward function for TRL. Example: trl_reward("number", answer_column="solution").

    verifier: as in a recipe; a file is relative to the working directory. answer_column: of the data set, with the gold answers;
    by default `solution`, `answer` or `gold`, whichever there is. thought: "prefilled" where the chat template opens the thought,
    which TRL shows to no reward function: without it a thought that never closed is taken for an answer; "required" where a
    completion without a thought has no answer. name: what TRL's metrics call it. Raises ConfigError.
    """
    return TrlReward(verifier, str(Path.cwd()), answer_column, thought, name)


class TrlReward:
    """The verifier's score per completion; None where grading failed, which TRL leaves out of the group's mean.

    Can be called from any thread, and pickled. TRL does not say which completions were cut; leave them out of the loss with
    its `mask_truncated_completions`.
    """

    def __init__(
        self, verifier: Spec, base_dir: str, answer_column: str | None, thought: Thought, name: str | None
    ) -> None:
        self._made_of = (verifier, base_dir, answer_column, thought, name)
        self._answer_column = answer_column
        self._thought: Thought = thought
        self.verifier: Verifier = build("verifier", verifier, BuildContext(Path(base_dir)))
        self.__name__ = name or self.verifier.label.partition(" ")[0]

    def __reduce__(self) -> tuple[type[TrlReward], tuple[Any, ...]]:
        return TrlReward, self._made_of

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        *,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        answers = columns[self._column(columns)]
        further = {name: values for name, values in columns.items() if name not in _NO_COLUMNS}
        items = [
            self._item(place, prompt, completion, answer, {name: values[place] for name, values in further.items()})
            for place, (prompt, completion, answer) in enumerate(zip(prompts, completions, answers, strict=True))
        ]
        verdicts = judge(self.verifier, items)
        if log_metric is not None and verdicts:
            for status in (Status.ERROR, Status.NO_ANSWER):
                share = sum(verdict.status is status for verdict in verdicts) / len(verdicts)
                log_metric(f"{self.__name__}/{status}", share)
        return [verdict.score for verdict in verdicts]

    def _column(self, columns: Mapping[str, Any]) -> str:
        wanted = ANSWER_COLUMNS if self._answer_column is None else (self._answer_column,)
        found = next((name for name in wanted if name in columns), None)
        if found is None:
            there = sorted(set(columns) - set(_NO_COLUMNS))
            raise ConfigError(
                f"the data set has no column of gold answers: {' or '.join(wanted)}", where=f"trl_reward: {self.__name__}",
                why=f"its columns are {', '.join(there) or 'none beside the prompt'}",
                remedy=nearest(wanted[0], there) if there else "answer_column=…",
            )  # fmt: skip
        return found

    def _item(self, place: int, prompt: Any, completion: Any, answer: Any, columns: Mapping[str, Any]) -> Item:
        parsed = split_completion(completion, prompt, self._thought)
        problem = Problem(
            id=str(place), task="trl", prompt=as_prompt(prompt), answer=golds.text_of(answer), meta=columns
        )  # fmt: skip
        return Item(problem=problem, parsed=parsed, truncated=False)

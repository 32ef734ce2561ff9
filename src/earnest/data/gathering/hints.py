"""Reverse curriculum: the beginning of a gold trace is given for prompts that are all wrong, and less of it as they succeed.

R3 (Xi et al. 2024, arXiv:2402.05808) starts from states near the end of a demonstration and moves back; STaR's rationalisation
(Zelikman et al. 2022, arXiv:2203.14465) shows the answer instead. The hint is forced after the prompt: it is attended to and
read as text, but it is prompt, and in no loss. A hint is a second try: the prompt alone comes first, in every step, so that the
pass rate and the posterior stay those of the model without help, and a hinted group is counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from earnest.data.gathering.groups import outcomes
from earnest.data.rollouts import Roller
from earnest.data.select import subset
from earnest.errors import ConfigError
from earnest.tasks.base import Task
from earnest.types import Group, Json, Problem, Solution

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LOOKED_AT = 100
"""Training problems among which one with a trace must be found."""
ENDS_A_STEP = ("\n", ";")
ENDS_A_SENTENCE = (".", "!", "?")

Gold: TypeAlias = Callable[[Problem], Solution | None]


class Hints(BaseModel):
    """Which prompts get a hint, and how much of the gold trace it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    below: float = Field(0.15, gt=0, lt=1)
    """Expected pass rate of a prompt, from its own tries, below which it is hinted when a group of tries is all wrong."""
    start: float = Field(0.75, gt=0, lt=1)
    """Share of the trace that a prompt's first hint gives."""
    step: float = Field(0.25, gt=0, lt=1)
    """By how much the share falls when at least half of the hinted tries are right, and rises (up to `start`) when none is."""

    @model_validator(mode="after")
    def _shrinks(self) -> Self:
        if self.step > self.start:
            raise ValueError(f"the first hint ({self.start:g}) cannot shrink by {self.step:g}: `step` is above `start`")
        return self


class Hinting:
    """How much each prompt is given at present: the share of its trace, by the problem's id."""

    def __init__(self, hints: Hints, gold: Gold, roller: Roller, context: int) -> None:
        self.hints, self.gold, self.roller, self.context = hints, gold, roller, context
        self.steps_back: dict[str, int] = {}  # by how many steps a prompt's share is below `start`

    def share(self, problem: str) -> float:
        """Of the trace. It never falls to 0: a hint of nothing is the prompt alone, which comes first anyway."""
        return self.hints.start - self.hints.step * self.steps_back.get(problem, 0)

    def check(self, problems: Sequence[Problem]) -> None:
        """Refuse where no hint could ever be given. Raises ConfigError."""
        looked_at = subset(problems, LOOKED_AT)
        if not any(self.head(problem) for problem in looked_at):
            raise ConfigError(
                "hints have nothing to give", where=f"prompt {self.roller.prompt.name}",
                why=f"of {len(looked_at)} training problems none has a gold whose thought this prompt format writes, that is "
                f"long enough to cut and fits the context of {self.context} tokens",
                remedy="a prompt format with `think: true`; or leave `hints` out",
            )  # fmt: skip

    def head(self, problem: Problem) -> tuple[int, ...]:
        """The hint as token ids; () where there is no trace, one too short to cut, or a gold that does not fit the context."""
        solution = self.gold(problem)
        if solution is None or not solution.thought:
            return ()
        roller = self.roller
        rendered = roller.prompt.render(problem, roller.tokenizer)
        worked = roller.prompt.complete(solution, rendered, roller.tokenizer)
        if len(rendered.ids) + len(worked) > self.context:
            return ()
        direct = roller.prompt.complete(Solution("", solution.answer), rendered, roller.tokenizer)
        return cut(worked, direct, self.share(problem.id), roller.tokenizer)

    def observe(self, group: Group) -> None:
        """Less is given where at least half of the hinted tries were right, more where none was."""
        found = outcomes(group)
        if not found:
            return
        back = self.steps_back.get(group.problem.id, 0)
        most = int(self.hints.start / self.hints.step - 1e-9)  # so that something is left
        if 2 * sum(found) >= len(found):
            back = min(back + 1, most)
        elif not any(found):
            back = max(back - 1, 0)
        self.steps_back[group.problem.id] = back

    def state_dict(self) -> dict[str, Json]:
        return dict(self.steps_back)

    def load_state_dict(self, state: Json) -> None:
        assert isinstance(state, Mapping)
        self.steps_back = {}
        for problem, back in state.items():
            assert isinstance(back, int), state
            self.steps_back[problem] = back


def cut(
    worked: Sequence[int], direct: Sequence[int], share: float, tokenizer: PreTrainedTokenizerBase
) -> tuple[int, ...]:
    """The beginning of a worked completion with that share of its thought's tokens, back to the end of a step if there is one.

    What both completions share at their ends is no thought: the open mark at the beginning, the close mark and the answer at
    the end. () where nothing would be given, or everything.
    """
    most = min(len(worked), len(direct))
    begin = next((i for i in range(most) if worked[i] != direct[i]), most)
    tail = next((i for i in range(most - begin) if worked[-1 - i] != direct[-1 - i]), most - begin)
    end = len(worked) - tail
    wanted = begin + int(share * (end - begin))
    if not begin < wanted < end:
        return ()
    for place in range(wanted, begin, -1):
        if _ends_a_step(worked[begin:place], worked[place], tokenizer):
            return tuple(worked[:place])
    return tuple(worked[:wanted])


def _ends_a_step(thought: Sequence[int], following: int, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a thought so far ends in a line break or a semicolon, or in a full stop that space follows."""
    last = tokenizer.decode([thought[-1]], clean_up_tokenization_spaces=False)
    if not any(mark in last for mark in (*ENDS_A_STEP, *ENDS_A_SENTENCE)):
        return False  # the rule for most tokens, without reading the rest
    text = str(tokenizer.decode(list(thought), clean_up_tokenization_spaces=False))
    longer = str(tokenizer.decode([*thought, following], clean_up_tokenization_spaces=False))
    if text.rstrip(" ").endswith(ENDS_A_STEP):
        return True
    return text.endswith(ENDS_A_SENTENCE) and longer[len(text) :][:1].isspace()


def check_traces(task: Task) -> None:
    """Refuse hints for a task whose golds have no traces. Raises ConfigError."""
    problems = subset(task.problems("train"), LOOKED_AT)
    if not any((solution := task.gold(p)) is not None and solution.thought for p in problems):
        raise ConfigError(
            f"hints have nothing to give: no gold of task '{task.name}' has a trace", where="hints",
            why=f"{len(problems)} training problems were looked at",
            remedy="a task with worked solutions; or leave `hints` out",
        )  # fmt: skip

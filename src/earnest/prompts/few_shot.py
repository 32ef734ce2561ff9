"""Worked examples before the question: what a model can do that is only shown how.

The examples are data, fixed when the prompt is made (`evaluate/grid/columns.py` draws them from a task's train split), so that
the prompt stays stateless and its settings say everything. With a chat prompt they are turns of the conversation; with any
other they stand in one text as "Question: … / Answer: …", an answer is one line, and the line's end is where a completion
stops: a base model would go on with a question of its own. Thoughts are shown as plain text before the answer, never in
marks, which many chat templates strip from earlier turns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from earnest.component import plug
from earnest.prompts.base import Prompt, Rendered
from earnest.prompts.chat import Chat
from earnest.prompts.writing import Written, encode
from earnest.types import Message, Parsed, Problem, Solution

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_NEWLINES = ("\n", "\u010a", "<0x0A>")
"""How vocabularies write a line's end: as itself, byte-level, and as a byte token."""
_NEXT = "\nQuestion:"


class Example(BaseModel):
    """A problem with its solution. Example: Example(id="gsm8k/3f2a", question="…", thought="3 + 4 = 7", answer="7")."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: str
    """Of the problem that it is."""
    question: str
    """As it is asked."""
    thought: str = ""
    """Written before the answer."""
    answer: str
    """Written in the prompt's form of an answer."""


class FewShot(Prompt):
    """Examples, then the question. Example: FewShot(examples=(Example(id="a", question="2+2=", answer="4"),))."""

    prompt: Annotated[Written, plug("prompt")] = Field(
        default_factory=lambda: Chat(think=False, answer="The answer is {answer}.")
    )
    """How the whole is put: `chat` shows examples as turns, any other as text. Its `answer` is the form of their answers."""
    examples: tuple[Example, ...] = ()
    """In this order; none: the question alone, in the same form."""
    lead: str = ""
    """What the answer begins with, written already: " Let's think step by step."."""

    @field_validator("prompt")
    @classmethod
    def _without_marks(cls, value: Written) -> Written:
        if value.think:
            raise ValueError("examples are shown without thought marks: `think: false`")
        return value

    @property
    def _in_turns(self) -> bool:
        return isinstance(self.prompt, Chat)

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> Rendered:
        prompt = self._turns(problem) if self._in_turns else self._text(problem)
        rendered = self.prompt.render(replace(problem, prompt=prompt), tokenizer)
        return replace(rendered, ids=(*rendered.ids, *encode(self.lead, tokenizer)), text=rendered.text + self.lead)

    def complete(self, solution: Solution, rendered: Rendered, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
        """The thought as plain text, then the answer; in marks only where the prompt has opened the thought."""
        if rendered.opened:
            return self.prompt.model_copy(update={"think": True}).complete(solution, rendered, tokenizer)
        text = self._solved(solution.thought, solution.answer)
        text = text if self._in_turns else f" {text}"
        return (*encode(text, tokenizer), self.stop_ids(tokenizer)[0])

    def parse(self, text: str, *, opened: bool) -> Parsed:
        return self.prompt.parse(text if self._in_turns else text.split(_NEXT, 1)[0], opened=opened)

    def stop_ids(self, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
        """Those of the prompt inside; without turns also every token with a line's end in it."""
        stops = self.prompt.stop_ids(tokenizer)
        if self._in_turns:
            return stops
        ends = [i for token, i in tokenizer.get_vocab().items() if any(mark in token for mark in _NEWLINES)]
        return tuple(dict.fromkeys((*stops, *sorted(i for i in ends if "\n" in str(tokenizer.decode([i]))))))

    def _solved(self, thought: str, answer: str) -> str:
        parts = [thought.strip(), self.prompt.answer.replace("{answer}", answer)]
        text = "\n".join(part for part in parts if part)
        return text if self._in_turns else _on_one_line(text)

    def _turns(self, problem: Problem) -> tuple[Message, ...]:
        own = (Message("user", problem.prompt),) if isinstance(problem.prompt, str) else problem.prompt
        head = tuple(m for m in own if m.role == "system")
        shown = [
            message
            for e in self.examples
            for message in (Message("user", e.question), Message("assistant", self._solved(e.thought, e.answer)))
        ]
        return (*head, *shown, *(m for m in own if m.role != "system"))

    def _text(self, problem: Problem) -> str:
        shown = [f"Question: {e.question}\nAnswer: {self._solved(e.thought, e.answer)}" for e in self.examples]
        return "\n\n".join([*shown, f"Question: {problem.question}\nAnswer:"])


def _on_one_line(text: str) -> str:
    """Lines joined, with a semicolon where one ends without punctuation. Example: "1+1=2\\n2+2=4." -> "1+1=2; 2+2=4."."""
    lines = [" ".join(line.split()) for line in text.split("\n") if line.strip()]
    return " ".join([*(line if line[-1] in ".,;:!?" else f"{line};" for line in lines[:-1]), *lines[-1:]])

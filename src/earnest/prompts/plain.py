"""Plain text around the question: for base models and for tiny ones, where there is no chat template.

Nothing is added to the text but a beginning-of-sequence token where the tokenizer itself would put one. Completions end in
the tokenizer's end-of-sequence token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from earnest.errors import ConfigError
from earnest.prompts.base import Prompt, Rendered
from earnest.prompts.parse import split_thought
from earnest.prompts.writing import Layout, encode, must_hold
from earnest.types import Parsed, Problem, Solution

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Plain(Prompt):
    """The question in a template of one's own. Example: Plain(template="Q: {question}\\nA:", answer=" {answer}")."""

    template: str = "{question}"
    """The prompt; `{question}` stands once. It may end in the open mark: then completions start inside the thought."""
    think: bool = False
    """Completions carry a thought between the marks."""
    open_mark: str = Field(default="<think>", min_length=1)
    """Opens the thought."""
    close_mark: str = Field(default="</think>", min_length=1)
    """Closes the thought; the answer is what follows."""
    after_open: str = ""
    """Written between the open mark and the thought."""
    after_thought: str = ""
    """Written between the thought and the close mark."""
    after_close: str = ""
    """Written between the close mark and the answer."""
    answer: str = "{answer}"
    """How the answer is written; `{answer}` stands once."""

    @field_validator("template")
    @classmethod
    def _template(cls, value: str) -> str:
        return must_hold(value, "{question}")

    @field_validator("answer")
    @classmethod
    def _answer(cls, value: str) -> str:
        return must_hold(value, "{answer}")

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> Rendered:
        text = self.template.replace("{question}", problem.question)
        ids = encode(text, tokenizer)
        bos = tokenizer.bos_token_id
        if isinstance(bos, int) and ids[:1] != (bos,) and tokenizer.encode("")[:1] == [bos]:
            ids = (bos, *ids)
        return Rendered(ids=ids, text=text, opened=self._layout.opened_by(text))

    def complete(self, solution: Solution, rendered: Rendered, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
        return (*encode(self._layout.completion(solution, rendered), tokenizer), self.stop_ids(tokenizer)[0])

    def parse(self, text: str, *, opened: bool) -> Parsed:
        return split_thought(
            text, opened=opened, open_mark=self.open_mark, close_mark=self.close_mark, required=self.think
        )

    def stop_ids(self, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
        """The end-of-sequence token. Raises ConfigError for a tokenizer without one."""
        eos = tokenizer.eos_token_id
        if not isinstance(eos, int):
            raise ConfigError(
                "the tokenizer has no end-of-sequence token",
                where="prompt plain",
                why="a completion could never end",
                remedy="set eos_token in the model folder's tokenizer_config.json",
            )
        return (eos,)

    @property
    def _layout(self) -> Layout:
        return Layout(
            self.open_mark,
            self.close_mark,
            self.after_open,
            self.after_thought,
            self.after_close,
            self.answer,
            self.think,
        )

"""Plain text around the question: for base models and for tiny ones, where there is no chat template.

Nothing is added to the text but a beginning-of-sequence token where the tokenizer itself would put one. Completions end in
the tokenizer's end-of-sequence token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import field_validator

from earnest.errors import ConfigError
from earnest.prompts.base import Rendered
from earnest.prompts.writing import Written, encode, must_hold
from earnest.types import Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Plain(Written):
    """The question in a template of one's own. Example: Plain(template="Q: {question}\\nA:", answer=" {answer}")."""

    template: str = "{question}"
    """The prompt; `{question}` stands once. It may end in the open mark: then completions start inside the thought."""
    think: bool = False
    """Completions carry a thought between the marks."""

    @field_validator("template")
    @classmethod
    def _template(cls, value: str) -> str:
        return must_hold(value, "{question}")

    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> Rendered:
        text = self.template.replace("{question}", problem.question)
        ids = encode(text, tokenizer)
        bos = tokenizer.bos_token_id
        if isinstance(bos, int) and ids[:1] != (bos,) and tokenizer.encode("")[:1] == [bos]:
            ids = (bos, *ids)
        return Rendered(ids=ids, text=text, opened=self.opened_by(text))

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

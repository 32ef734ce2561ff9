"""The template gate: what is trained is what is sampled and what is graded, in this tokenizer and this chat template.

Solutions of the run's own tasks are written as the model should write them, turned into ids and back, taken apart and graded.
Whatever is lost on the way (a thought mark, a stop token, the question itself) would be lost in every step of training.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from earnest.data.samples import demonstrations
from earnest.data.select import subset
from earnest.gates.base import RUN, Form, Gate, GateResult, Rendering
from earnest.prompts.base import Rendered
from earnest.prompts.chat import Chat
from earnest.types import Item, Json, Problem, Solution

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_OPENS_A_THOUGHT = re.compile(r"<[^<>\s/]*(?:think|thought|reason|scratchpad)[^<>\s]*>\s*$", re.IGNORECASE)
_GENERATION = re.compile(r"\{%[-+]?\s*generation\b")
_PROBE = Solution("Sentinel1thought", "Sentinel2answer")
_NO_MARKS = (
    "the chat template has no {% generation %} marks: a trainer that takes its loss mask from them would train on nothing. "
    "This run does not"
)
_DROPS = (
    "the chat template drops the thought from an assistant's turn. This run writes completions itself and renders no such turn, "
    "but whoever trains on whole conversations, or sends one back, loses it"
)


@dataclass(frozen=True, slots=True)
class _Fault:
    """Something lost on the way, with an example."""

    what: str
    remedy: str
    example: str
    task: str = ""


@dataclass(slots=True)
class _Counts:
    solutions: int = 0
    opened: int = 0
    prompt_tokens: int = 0
    trained_tokens: int = 0


class Template(Gate):
    """Does a solution survive being written, tokenized, decoded and graded?"""

    looks_at: ClassVar[type] = Rendering

    problems: int = Field(32, gt=0)
    """Problems of each split of each task whose solutions are written out."""

    def check(self, evidence: Rendering) -> GateResult:
        counts, faults = _Counts(), list[_Fault]()
        for form in evidence.forms:
            for problem in subset(form.task.problems(form.split), self.problems):
                solution = form.task.gold(problem)
                if solution is not None:
                    found = _written(form, problem, solution, evidence.tokenizer, counts)
                    faults += (replace(fault, task=form.task.name) for fault in found)
        chat = next((form.prompt for form in evidence.forms if isinstance(form.prompt, Chat)), None)
        doubts = list(_doubts(chat, evidence.tokenizer)) if chat is not None and chat.think else []
        numbers: dict[str, Json] = {
            "solutions": counts.solutions, "opened_by_prompt": counts.opened, "prompt_tokens": counts.prompt_tokens,
            "trained_tokens": counts.trained_tokens,
        }  # fmt: skip
        if faults:
            often = Counter(fault.what for fault in faults)
            first = {fault.what: fault for fault in reversed(faults)}
            tasks = dict.fromkeys(form.task.name for form in evidence.forms)
            where = {f.what: f"{f.task}: " if len(tasks) > 1 else "" for f in first.values()}
            told = "; ".join(
                f"{what} ({n} of {counts.solutions}; {where[what]}{first[what].example})" for what, n in often.items()
            )
            remedy = "; ".join(dict.fromkeys(fault.remedy for fault in faults))
            return self.result(RUN, "refused", told, remedy, {**numbers, "faults": dict(often)})
        if not counts.solutions:
            return self.result(
                RUN, "warned", "no task of this run knows a solution that could be written out",
                "a task whose gold() gives one", numbers,
            )  # fmt: skip
        told = f"{counts.solutions} solutions written, read back and graded right; the loss is on {counts.trained_tokens:,} of "
        told += f"{counts.prompt_tokens + counts.trained_tokens:,} tokens"
        if counts.opened:
            told += f"; the prompt opens the thought itself in {counts.opened}"
        if doubts:
            remedy = "a template that keeps thoughts and marks what is generated, if the model is to be trained further elsewhere"
            return self.result(RUN, "warned", "; ".join([told, *doubts]), remedy, numbers)
        return self.result(RUN, "passed", told, "", numbers)


def _written(
    form: Form, problem: Problem, solution: Solution, tokenizer: PreTrainedTokenizerBase, counts: _Counts
) -> Iterator[_Fault]:
    rendered = form.prompt.render(problem, tokenizer)
    ids = form.prompt.complete(solution, rendered, tokenizer)
    stops = form.prompt.stop_ids(tokenizer)
    text = str(tokenizer.decode(list(ids[:-1]), skip_special_tokens=False, clean_up_tokenization_spaces=False))
    counts.solutions += 1
    counts.opened += rendered.opened
    counts.prompt_tokens += len(rendered.ids)
    counts.trained_tokens += len(ids)
    yield from _prompt_faults(problem, rendered, tokenizer)
    if ids[-1] not in stops:
        yield _Fault("a completion does not end in a stop token", "a prompt format that writes one", _cut(text))
    if any(i in stops for i in ids[:-1]):
        yield _Fault(
            "a stop token stands within a completion: sampling would end there", "another text in its place", _cut(text)
        )
    (sample,) = demonstrations([(rendered.ids, ids)])
    if sample.mask != (False,) * len(rendered.ids) + (True,) * len(ids):
        yield _Fault("the loss mask is not the completion", "mend data/samples.py", _cut(text))
    parsed = form.prompt.parse(text, opened=rendered.opened)
    if parsed.thought is not None and solution.thought and parsed.thought != solution.thought.strip():
        yield _Fault(
            "the thought is not read back as it was written", "thought marks that the tokenizer keeps (add_markers: true)",
            f"{_cut(solution.thought)} became {_cut(parsed.thought)}",
        )  # fmt: skip
    elif not parsed.well_formed:
        yield _Fault(
            "a solution is not in the format that is taught", "thought marks that tokenizer and template keep, and that close "
            "what the prompt opens", f"{_cut(rendered.text[-40:])} then {_cut(text)}",
        )  # fmt: skip
    if problem.answer is None or form.verifier.check_gold(problem.answer) is not None:
        return  # whether golds can be read is the verifier gate's question
    verdict = form.verifier.judge([Item(problem=problem, parsed=parsed, truncated=False)])[0]
    if not verdict.correct:
        yield _Fault(
            f"a right solution is graded {'an error' if verdict.correct is None else 'wrong'}",
            "a way of writing the answer that the verifier reads (the prompt's `answer`), or another verifier",
            f"{verdict.reason}: gold {_cut(problem.answer)}, written {_cut(text[-60:])}",
        )  # fmt: skip


def _prompt_faults(problem: Problem, rendered: Rendered, tokenizer: PreTrainedTokenizerBase) -> Iterator[_Fault]:
    bos, unknown = tokenizer.bos_token_id, tokenizer.unk_token_id
    if bos is not None and rendered.ids[:2] == (bos, bos):
        yield _Fault(
            "a prompt begins with two beginning-of-sequence tokens", "a template without its own, or a tokenizer that adds none",
            _cut(rendered.text),
        )  # fmt: skip
    said = [problem.prompt] if isinstance(problem.prompt, str) else [m.content for m in problem.prompt]
    if any(text.strip() not in rendered.text for text in said):
        yield _Fault("the template drops a part of the question", "a template that keeps it", _cut(rendered.text))
    known = (bos, tokenizer.eos_token_id, tokenizer.pad_token_id)  # some tokenizers have one token for all of these
    if unknown is not None and unknown not in known and unknown in rendered.ids:
        yield _Fault(
            "the tokenizer does not know a character of the question", "another tokenizer", _cut(rendered.text)
        )
    if not rendered.opened and _OPENS_A_THOUGHT.search(rendered.text):
        yield _Fault(
            "the template opens a thought with a mark that the prompt format does not know",
            "the prompt's open_mark and close_mark as the template has them", _cut(rendered.text[-40:]),
        )  # fmt: skip


def _doubts(prompt: Chat, tokenizer: PreTrainedTokenizerBase) -> Iterator[str]:
    """What the template does to an assistant's turn, which this run never renders but others will."""
    inline = f"{prompt.open_mark}{_PROBE.thought}{prompt.close_mark}{_PROBE.answer}"
    turns = [
        {"role": "assistant", "content": inline},
        {"role": "assistant", "content": _PROBE.answer, "reasoning_content": _PROBE.thought},
    ]
    if not any(_PROBE.thought in str(_applied(turn, tokenizer, tokenize=False)) for turn in turns):
        yield _DROPS
    has_marks = _GENERATION.search(str(tokenizer.chat_template)) is not None
    marked = _applied(turns[0], tokenizer, tokenize=True) if has_marks else None
    if not (isinstance(marked, Mapping) and any(marked.get("assistant_masks") or ())):
        yield _NO_MARKS


def _applied(turn: Mapping[str, str], tokenizer: PreTrainedTokenizerBase, *, tokenize: bool) -> Any:
    """The conversation of one question and this turn; with its ids and the template's own mask if tokenized. None if refused."""
    from jinja2 import TemplateError

    conversation: list[Any] = [{"role": "user", "content": "?"}, turn]
    try:
        if not tokenize:
            return tokenizer.apply_chat_template(conversation, tokenize=False)
        return tokenizer.apply_chat_template(conversation, return_dict=True, return_assistant_tokens_mask=True)
    except (TemplateError, ValueError):
        return None


def _cut(text: str) -> str:
    """Quoted, printable, short."""
    return ascii(text if len(text) <= 60 else f"{text[:40]}…{text[-16:]}")

"""`earnest data check` and `earnest data show`: what a recipe would train on, before it does."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from cyclopts import App, Parameter

from earnest.cli import paging, say
from earnest.errors import GateRefused
from earnest.printable import one_line

if TYPE_CHECKING:
    from earnest.stages.inspection import Example, Inspection, Lengths

Count: TypeAlias = Annotated[int, Parameter(name=["--count", "-n"])]

app = App(
    name="data",
    help="Look at what a recipe would train on: `check` counts and compares, `show` prints it token by token.",
)


@app.command
def check(source: Path, /, *, model: str | None = None, prompt: str = "chat", json: say.AsJson = False) -> int:
    """Sizes, lengths, what reading changed, overlap with the evaluations, and whether solutions survive the template.

    Exit code 3 if a run would be refused for it.

    Parameters
    ----------
    source
        A recipe (or its folder), or a file of JSON rows.
    model
        For a file of rows: whose tokenizer; a Hugging Face folder or a hub id, by default the embedded model's.
    prompt
        For a file of rows: one of `earnest list prompt`.
    """
    from earnest import api

    found = api.check_data(source, model=model, prompt=prompt)
    if json:
        say.result(
            {
                "sources": [asdict(s) for s in found.sources],
                "gates": [asdict(g) for g in found.gates],
                "refused": found.refused,
            }
        )
    else:
        say.lines(_checked(found))
    return GateRefused.exit_code if found.refused else 0


@app.command
def show(
    source: Path, /, *, stage: str | None = None, count: Count = 3, model: str | None = None, prompt: str = "chat",
    json: say.AsJson = False,
) -> None:  # fmt: skip
    """Training examples as the loss sees them: in colour (or between ⟦ and ⟧) what is trained, dim what is only read.

    Parameters
    ----------
    source
        A recipe (or its folder), or a file of JSON rows.
    stage
        Id of a stage that trains; by default the last that imitates solutions.
    count
        Examples of each of its sources.
    model
        For a file of rows: whose tokenizer; a Hugging Face folder or a hub id, by default the embedded model's.
    prompt
        For a file of rows: one of `earnest list prompt`.
    """
    from earnest import api

    found = api.show_data(source, stage=stage, count=count, model=model, prompt=prompt)
    if json:
        return say.result({"examples": [asdict(example) for example in found]})
    colour = paging.in_colour()
    paging.page(row for example in found for row in _shown(example, colour))


def _checked(found: Inspection) -> list[str]:
    rows: list[str] = []
    for s in found.sources:
        sizes = ", ".join(f"{count:,} {split}" for split, count in s.sizes.items())
        rows.append(f"{s.task}: {sizes}   (read by {s.stages})")
        rows.append(f"  prompt       {_tokens(s.prompt)}")
        rows.append(f"  completion   {_tokens(s.completion)}   of {s.measured:,} train problems")
        lacking = [(s.without_solution, "have no solution"), (s.without_trace, "have an answer but no trace"),
                   (s.overlong, "are longer than the tokenizer says the model can read")]  # fmt: skip
        rows += [f"  of these     {count:,} {what}" for count, what in lacking if count]
        rows += [f"  notice       {notice}" for notice in s.notices]
    for gate in found.gates:
        rows.append(f"gate {gate.gate} {gate.outcome}: {gate.reason}")
        rows += [f"  do: {gate.remedy}"] if gate.remedy else []
    return rows


def _tokens(lengths: Lengths | None) -> str:
    if lengths is None:
        return "nothing to measure"
    return f"{lengths.median} tokens (median), {lengths.p95} (95 %), {lengths.longest} (longest)"


def _shown(example: Example, colour: bool) -> list[str]:
    trained = sum(token.trained for token in example.tokens)
    text, on = "", False
    begin, end, dim, plain = ("\x1b[32m", "\x1b[0m", "\x1b[2m", "\x1b[0m") if colour else ("⟦", "⟧", "", "")
    for token in example.tokens:
        if token.trained != on:
            text += plain + begin if token.trained else end + dim
            on = token.trained
        text += "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in token.text)
    text = dim + text + (end if on else plain)
    head = f"── {example.stage}: {example.task}, {one_line(example.problem)} · loss on {trained} of {len(example.tokens)} tokens"
    return [head, text, ""]

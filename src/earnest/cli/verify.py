"""`earnest verify`: grade answers of any origin, row by row."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from earnest.cli import say
from earnest.evaluate.text import visible

if TYPE_CHECKING:
    from earnest.evaluate.grading import Summary


def verify(
    *,
    verifier: str,
    source: Annotated[str, Parameter(name="--in", allow_leading_hyphen=True)] = "-",
    out: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-",
    workers: int = 1,
    resume: bool = False,
    thought: Literal["optional", "required", "prefilled"] = "optional",
    json: say.AsJson = False,
) -> int:
    """Grade rows of {"id", "response", "gold"} and write a verdict for each, in their order.

    A verdict is {"id", "score", "correct", "status", "extracted", "reason", "ms"}. Where grading itself failed, because the gold
    cannot be read or something is not installed, status is "error" and score and correct are null. What came out stands on
    stderr. A malformed row stops with its line and exit code 2; exit code 1 if no row at all could be graded.

    Parameters
    ----------
    verifier
        One of `earnest list verifier`, {name: …, setting: …}, or FILE.py:NAME of a class or a function.
    source
        Answers: .jsonl or .jsonl.gz, or - for standard input. `answer` or `solution` may stand for `gold`, messages for the text
        of the response; further fields are columns that a function may ask for.
    out
        Verdicts: .jsonl or .jsonl.gz, or - for standard output. A file that exists is not written over.
    workers
        Processes that grade.
    resume
        Go on after the last verdict in the file.
    thought
        Whether a response has a thought: perhaps; it must, or it has no answer; or it goes on from a mark that the prompt wrote.
    """
    from earnest.evaluate.verdict_file import Job, verify_file

    named = say.plugin(verifier, "--verifier")
    found = verify_file(Job(verifier=named, source=source, out=out, workers=workers, resume=resume, thought=thought))
    if json and out != "-":
        say.result(found.to_json())
    else:
        for row in _text(found):
            sys.stderr.write(visible(row) + "\n")
    return 1 if found.rows and found.failed == found.rows else 0


def _text(found: Summary) -> list[str]:
    kinds = ", ".join(f"{status} {count:,}" for status, count in sorted(found.statuses.items()))
    graded = found.rows - found.failed
    share = f" ({100 * found.correct / graded:.1f} % of the {graded:,} that could be graded)" if graded else ""
    rows = [
        f"{found.verifier}: {found.correct:,} of {found.rows:,} correct{share}",
        f"  status   {kinds or 'no rows'}",
        f"  time     {found.ms(0.5):.3g} ms median, {found.ms(0.99):.3g} ms p99",
    ]
    return rows + ([f"  error    first: {found.first_error}"] if found.first_error else [])

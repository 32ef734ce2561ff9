"""Grade-school maths word problems with worked traces: 7,473 for training (a tenth of them for dev), 1,319 for test.

The public source is openai/gsm8k on the Hugging Face hub, or train.jsonl and test.jsonl of
https://github.com/openai/grade-school-math (MIT; Cobbe et al., arXiv 2110.14168). Files are read from $EARNEST_DATA/gsm8k unless
the recipe names others. A row's trace is its answer up to the `####` line, without the calculator annotations; the answer is what
follows, without thousands commas.
"""

from __future__ import annotations

from pydantic import Field

from earnest.component import DataPath
from earnest.tasks.jsonl import Jsonl


class Gsm8k(Jsonl):
    """GSM8K in its own two files."""

    path: DataPath = Field("$EARNEST_DATA/gsm8k/train.jsonl", validate_default=True)
    """Training data; a tenth of it is for dev, unless that has a file."""
    test: DataPath | None = Field("$EARNEST_DATA/gsm8k/test.jsonl", validate_default=True)
    """Test data, used as it is."""

    @property
    def verifier_name(self) -> str:
        return "number"

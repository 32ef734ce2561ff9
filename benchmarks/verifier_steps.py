"""What the verifier `steps` says of data whose truth is known, as one JSON line.

    EARNEST_DATA=... python benchmarks/verifier_steps.py

`gsm8k_annotations` and `gsm8k_prose`: the claims of the 7,473 training solutions of GSM8K, inside the calculator annotations
and around them, by outcome. `labelled`: per source of step_labels.jsonl.gz, the steps up to the first that people found wrong;
how many hold a claim that is called wrong, and how many of these people called wrong, too, with a 95 % Wilson interval. A later
error of the same solution, a check of a wrong guess, and an error that the labels miss all count against the verifier.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from earnest.functional.stats import wilson
from earnest.verifiers.steps import steps

ANNOTATION = re.compile(r"<<[^<>\n]*>>")


@dataclass(slots=True)
class Labelled:
    """Steps with a label of a person, and what the verifier says of them."""

    steps: int = 0
    labelled_wrong: int = 0
    called_wrong: int = 0
    rightly: int = 0  # of called_wrong
    claims: Counter[str] = field(default_factory=Counter[str])

    @property
    def precision(self) -> dict[str, float] | None:
        if not self.called_wrong:
            return None
        value = self.rightly / self.called_wrong
        low, high = wilson(value, self.called_wrong)
        return {"value": value, "low": low, "high": high}

    def told(self) -> dict[str, object]:
        return {
            "steps": self.steps, "labelled_wrong": self.labelled_wrong, "called_wrong": self.called_wrong,
            "rightly": self.rightly, "precision": self.precision, "claims": dict(self.claims),
        }  # fmt: skip


def gsm8k(data: Path) -> dict[str, dict[str, int]]:
    """Outcome -> claims, inside the annotations and outside of them."""
    lines = (data / "gsm8k" / "train.jsonl").read_text("utf-8").splitlines()
    answers = [json.loads(line)["answer"] for line in lines]
    inside = ("\n".join(ANNOTATION.findall(answer)) for answer in answers)
    outside = (ANNOTATION.sub("", answer) for answer in answers)
    return {"gsm8k_annotations": _outcomes(inside), "gsm8k_prose": _outcomes(outside)}


def _outcomes(texts: Iterable[str]) -> dict[str, int]:
    return dict(Counter(check.outcome for text in texts for check in steps(text)))


def labelled(data: Path) -> dict[str, Labelled]:
    """Source -> its steps up to the first that is labelled wrong."""
    found: dict[str, Labelled] = {}
    with gzip.open(data / "derived" / "step_labels.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            first = row["first_error"]
            last = first if first is not None and first >= 0 else len(row["steps"])
            tally = found.setdefault(row["source"], Labelled())
            for place, step in enumerate(row["steps"][: last + 1]):
                outcomes = [check.outcome for check in steps(step)]
                tally.claims.update(outcomes)
                tally.steps += 1
                tally.labelled_wrong += place == last
                tally.called_wrong += "wrong" in outcomes
                tally.rightly += "wrong" in outcomes and place == last
    return found


def main() -> None:
    data = Path(os.environ["EARNEST_DATA"])
    sources = labelled(data)
    total = Labelled(
        steps=sum(s.steps for s in sources.values()), labelled_wrong=sum(s.labelled_wrong for s in sources.values()),
        called_wrong=sum(s.called_wrong for s in sources.values()), rightly=sum(s.rightly for s in sources.values()),
        claims=sum((s.claims for s in sources.values()), Counter[str]()),
    )  # fmt: skip
    told = {name: tally.told() for name, tally in {**sources, "all": total}.items()}
    print(json.dumps({**gsm8k(data), "labelled": told}))


if __name__ == "__main__":
    main()

"""docs/verifiers.md: the golds that it shows are golds, and its table names every verifier."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from earnest.component import build, names

PAGE = (Path(__file__).parents[2] / "docs" / "verifiers.md").read_text(encoding="utf-8")
GOLDS = [line.split(None, 1) for line in PAGE.split("```")[1].strip().splitlines()]


def test_every_verifier_is_in_the_table() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE.partition("\n## ")[0], re.MULTILINE)) == set(names("verifier"))


@pytest.mark.parametrize(("name", "gold"), GOLDS)
def test_a_gold_of_the_page_can_be_read(name: str, gold: str) -> None:
    if name == "reasoning_gym":  # its version of the package need not be the one that is here
        assert set(json.loads(gold)) == {"dataset", "config", "index", "package"}
        return
    assert build("verifier", name).check_gold(gold) is None
    without = json.loads(gold)
    del without[next(iter(without))]
    assert build("verifier", name).check_gold(json.dumps(without)) is not None or name == "math"

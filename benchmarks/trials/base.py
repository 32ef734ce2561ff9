"""What an experiment is: a recipe, a reader of one run of it, and what its predictions came to over the seeds.

A prediction stands in the recipe's opening comment and was written down before the first run that is reported. It holds or it
does not; neither is a failure of the script.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from runs import mean_over_seeds

from earnest.functional.stats import spread_over_seeds
from trials.reading import Arm, Reached


@dataclass(frozen=True, slots=True)
class Claim:
    """A prediction and what came of it."""

    predicted: str
    found: str
    holds: bool | None  # None: it needs an interval, and there is one seed

    def __str__(self) -> str:
        outcome = "Not decided, one seed" if self.holds is None else "Held" if self.holds else "MISSED"
        return f"- Predicted: {self.predicted}. {outcome}: {self.found}."


@dataclass(frozen=True, slots=True)
class Told:
    """An experiment's results: the lines of a table, and the predictions."""

    table: Sequence[str]
    claims: Sequence[Claim]


class Experiment(ABC):
    """One experiment. `read` gives a frozen dataclass."""

    name: ClassVar[str]
    title: ClassVar[str]
    seeds: ClassVar[tuple[int, ...]] = (0, 1, 2)
    question: ClassVar[str]
    """What is compared, for people, with the sizes that the recipe gives it."""

    @property
    def recipe(self) -> Path:
        return Path("recipes/experiments") / f"{self.name}.yaml"

    def run_of(self, runs: Path, seed: int) -> Path:
        return runs / f"{self.name}-seed-{seed}"

    @abstractmethod
    def read(self, run: Path) -> Any:
        """What one run says."""

    @abstractmethod
    def tell(self, found: Sequence[Any]) -> Told:
        """What all of them say together."""


# ---------------------------------------------------------------------------------------------------------------- claims


def above(predicted: str, values: Sequence[float], show: Callable[[float], str], than: float = 0.0) -> Claim:
    """Five seeds: the t interval over seeds lies above."""
    ends = spread_over_seeds(values).ci95
    return Claim(predicted, mean_over_seeds(values, show), None if ends is None else ends[0] > than)


def below(predicted: str, values: Sequence[float], show: Callable[[float], str], than: float = 0.0) -> Claim:
    ends = spread_over_seeds(values).ci95
    return Claim(predicted, mean_over_seeds(values, show), None if ends is None else ends[1] < than)


def around(predicted: str, values: Sequence[float], show: Callable[[float], str], zero: float = 0.0) -> Claim:
    """Five seeds: the t interval over seeds contains it. Held then means not shown to differ, which is no proof of equality."""
    ends = spread_over_seeds(values).ci95
    return Claim(predicted, mean_over_seeds(values, show), None if ends is None else ends[0] <= zero <= ends[1])


def each(
    predicted: str, values: Sequence[float], show: Callable[[float], str], holds: Callable[[float], bool]
) -> Claim:
    """Direction alone: every seed says so."""
    return Claim(predicted, "seed by seed " + ", ".join(map(show, values)), all(map(holds, values)))


# ---------------------------------------------------------------------------------------------------------------- tables


def line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def head(*cells: str) -> list[str]:
    return [line(*cells), "|" + "---|" * len(cells)]


def steps_cell(found: Sequence[Reached]) -> str:
    """Mean over seeds; an arm that never got there is counted with the steps that it had and one, and that is said."""
    text = mean_over_seeds([float(r.least) for r in found], lambda x: f"{x:.1f}")
    missing = sum(r.steps is None for r in found)
    return text if not missing else f"at least {text} ({missing} of {len(found)} not in {found[0].of})"


def tokens_cell(found: Sequence[Reached]) -> str:
    """Thousands of generated tokens."""
    text = mean_over_seeds([r.tokens / 1000 for r in found], lambda x: f"{x:.1f}")
    return text if all(r.steps is not None for r in found) else f"at least {text}"


def arms_table(names: Sequence[str], by_name: Callable[[str], Sequence[Arm]]) -> list[str]:
    """One line an arm: test pass rate, length, and the way to the target."""
    rows = head("arm", "sampled pass", "tokens", "worked", "steps to 65 %", "thousand generated tokens until then")
    for name in names:
        arms = by_name(name)
        ways = [a.reached for a in arms if a.reached is not None]
        rows.append(
            line(
                f"`{name}`", mean_over_seeds([a.pass_rate for a in arms], lambda x: f"{100 * x:.1f} %"),
                mean_over_seeds([a.tokens for a in arms], lambda x: f"{x:.1f}"),
                mean_over_seeds([a.worked for a in arms], lambda x: f"{100 * x:.1f} %"),
                steps_cell(ways) if ways else "", tokens_cell(ways) if ways else "",
            )
        )  # fmt: skip
    return rows

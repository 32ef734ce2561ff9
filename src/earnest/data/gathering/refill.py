"""Dynamic sampling (DAPO: Yu et al. 2025, arXiv:2503.14476): prompts whose group carries no signal are replaced by fresh ones.

In each round as many fresh prompts are tried as groups are still missing, so that for groups that are dead with probability d a
live one costs 1 / (1 - d) prompts, and none is sampled only to be thrown away alive. The number of rounds is bounded: when they
are spent, the step is taken with what there is, which is said; and a stage in which nothing at all carries a signal ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from earnest.data.gathering.groups import Kind, Live, has_signal, kinds, outcomes
from earnest.errors import GateRefused
from earnest.types import Finish, Group, Json

BUDGET = "refill_spent"
"""The event that says so."""

CUT = 0.9
"""Share of completions that are cut, above which that is why no group carries a signal."""


class Refill(BaseModel):
    """How long fresh prompts are looked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    attempts: int = Field(10, ge=1)
    """Rounds of fresh prompts in a step at most, each of as many prompts as groups are still missing."""
    patience: int = Field(5, ge=1)
    """Steps in a row without a single live group after which the stage ends."""


class Ledger:
    """What refilling has come to so far in a stage."""

    def __init__(self, refill: Refill) -> None:
        self.refill = refill
        self.steps, self.short_steps, self.short_live, self.short_prompts = 0, 0, 0, 0
        self.barren = 0  # steps in a row without a live group
        self.barren_kinds: Counter[Kind] = Counter()

    def note(self, step: int, asked: int, live: int, seen: Sequence[Group], is_live: Live = has_signal) -> str | None:
        """Count a step. Gives the sentence for the first whose budget was spent in vain. Raises GateRefused.

        live: groups with a signal, of those asked for; seen: all that were tried for them.
        """
        self.steps += 1
        self._watch(step, live, seen, is_live)
        if live == asked:
            return None
        self.short_steps += 1
        self.short_live += live
        self.short_prompts += len(seen)
        if self.short_steps > 1:
            return None
        return (
            f"step {step + 1}: {live} of {asked} groups carry a signal after {len(seen)} prompts; the budget of the refill "
            f"(attempts: {self.refill.attempts}) is spent, and the step goes on with what there is"
        )

    def last_words(self, asked: int) -> str | None:
        """The same of all steps, at the end of the stage."""
        if not self.short_steps:
            return None
        live, prompts = self.short_live / self.short_steps, self.short_prompts / self.short_steps
        return (
            f"in {self.short_steps} of {self.steps} steps the budget of the refill was spent: {live:.3g} of {asked} groups "
            f"carried a signal there after {prompts:.4g} prompts, on average"
        )

    def _watch(self, step: int, live: int, seen: Sequence[Group], is_live: Live) -> None:
        found = kinds(seen, is_live)
        if live:
            self.barren, self.barren_kinds = 0, Counter()
        elif found.total() > found["not graded"]:  # where nothing could be graded, the failure is another's
            self.barren += 1
            self.barren_kinds += found
        if self.barren < self.refill.patience:
            return
        total, counts = self.barren_kinds.total(), self.barren_kinds
        finishes = [r.completion.finish for group in seen for r in group.rollouts]
        cut = finishes.count(Finish.LENGTH) / len(finishes)
        rights = [right for group in seen for right in outcomes(group)]
        if 2 * sum(rights) > len(rights):
            remedy = "harder problems: these have nothing left to teach"
        elif cut > CUT:
            remedy = "a higher max_tokens, or more supervised fine-tuning on traces that end"
        else:
            remedy = "easier problems, more supervised fine-tuning before, `hints`, or a larger group; and read some rollouts"
        raise GateRefused(
            f"not one group carried a signal in the last {self.barren} steps (up to step {step + 1}), with every prompt that the "
            "refill could try",
            where=f"refill, attempts {self.refill.attempts} and patience {self.refill.patience}",
            why=f"of {total} groups {counts['all wrong']} were all wrong, {counts['all right']} all right, {counts['equal']} "
            f"without credit for other reasons, {counts['not graded']} not graded; {cut:.0%} of the completions of the last step "
            "were cut at the token limit",
            remedy=remedy,
        )  # fmt: skip

    def state_dict(self) -> dict[str, Json]:
        kinds: dict[str, Json] = {str(name): count for name, count in self.barren_kinds.items()}
        return {
            "steps": self.steps, "short_steps": self.short_steps, "short_live": self.short_live,
            "short_prompts": self.short_prompts, "barren": self.barren, "barren_kinds": kinds,
        }  # fmt: skip

    def load_state_dict(self, state: Json) -> None:
        assert isinstance(state, Mapping)
        for name in ("steps", "short_steps", "short_live", "short_prompts", "barren"):
            value = state[name]
            assert isinstance(value, int), state
            setattr(self, name, value)
        counts = state["barren_kinds"]
        assert isinstance(counts, Mapping)
        self.barren_kinds = Counter(counts)  # type: ignore[arg-type]

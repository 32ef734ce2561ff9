"""Experiments on where reinforcement learning begins: too early, without imitation, and against more imitation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chain import collect
from runs import mean_over_seeds, percent, points

from trials.base import Experiment, Told, arms_table, each, head, line
from trials.reading import Arm, arm, coverage


@dataclass(frozen=True, slots=True)
class Starts:
    """Policies by name; those that no reinforcement learning made have no way to the target."""

    arms: dict[str, Arm]

    def gain(self, after: str, before: str) -> float:
        return self.arms[after].pass_rate - self.arms[before].pass_rate


class TooEarly(Experiment):
    name = "too-early"
    title = "Reinforcement learning too early"
    question = (
        "The road of recipes/chain.yaml, with RL begun after 100 steps of worked solutions, and as soon as a worked solution is "
        "right one time in five, beside the usual start at 97 %."
    )

    def read(self, run: Path) -> Starts:
        starts = {name: arm(run, name, learned=False) for name in ("sft_100", "sft_fifth", "sft")}
        return Starts(starts | {name: arm(run, name) for name in ("rl_100", "rl_fifth", "rl")})

    def tell(self, found: Sequence[Starts]) -> Told:
        names = ("sft_100", "rl_100", "sft_fifth", "rl_fifth", "sft", "rl")
        grown = [seed.arms["rl_fifth"].tokens / seed.arms["sft_fifth"].tokens for seed in found]
        share = [seed.gain("rl_fifth", "sft_fifth") / seed.gain("rl", "sft") for seed in found]
        return Told(
            arms_table(names, lambda name: [seed.arms[name] for seed in found]),
            [
                each("after 100 steps of imitation RL gains less than 5 points", [s.gain("rl_100", "sft_100") for s in found],
                     points, lambda x: x < 0.05),
                each("begun at one in five, completions grow by half or more", grown, lambda x: f"x {x:.2f}", lambda x: x >= 1.5),
                each("and the gain is less than half of that from the usual start", share, percent, lambda x: x < 0.5),
            ],
        )  # fmt: skip


class R1Zero(Experiment):
    name = "r1-zero"
    title = "RL on the base (R1-Zero) against SFT first"
    question = (
        "40 steps of RL on the base, which has never seen a thought closed, with and without a reward for the format."
    )

    def read(self, run: Path) -> Starts:
        starts = {name: arm(run, name, learned=False) for name in ("base", "sft")}
        return Starts(starts | {name: arm(run, name) for name in ("zero", "zero_format", "rl")})

    def tell(self, found: Sequence[Starts]) -> Told:
        names = ("base", "zero", "zero_format", "sft", "rl")
        return Told(
            arms_table(names, lambda name: [seed.arms[name] for seed in found]),
            [
                *(each(f"`{name}` ends below 1 %", [s.arms[name].pass_rate for s in found], percent, lambda x: x < 0.01)
                  for name in ("zero", "zero_format")),
                each("`rl`, after SFT, ends at 90 % or more", [s.arms["rl"].pass_rate for s in found], percent,
                     lambda x: x >= 0.9),
            ],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Curves:
    """pass@1, pass@2, ... of each policy."""

    curves: dict[str, list[float]]


class PassAtK(Experiment):
    name = "pass-at-k"
    title = "Training for pass@1 against training for pass@4"
    question = (
        "From a policy whose worked solutions are right about every other time, 40 steps; 200 test problems, 8 samples each, and "
        "the unbiased estimate of pass@k from them."
    )

    def read(self, run: Path) -> Curves:
        return Curves({name: coverage(run, name) for name in ("sft", "dapo", "pass_at_4")})

    def tell(self, found: Sequence[Curves]) -> Told:
        ks = (1, 2, 4, 8)
        table = head("arm", *(f"pass@{k}" for k in ks))
        for name in ("sft", "dapo", "pass_at_4"):
            table.append(
                line(f"`{name}`", *(mean_over_seeds([s.curves[name][k - 1] for s in found], percent) for k in ks))
            )

        def ahead(k: int) -> list[float]:
            return [s.curves["pass_at_4"][k - 1] - s.curves["dapo"][k - 1] for s in found]

        return Told(
            table,
            [
                each("at pass@1 `pass_at_4` is behind `dapo`", ahead(1), points, lambda x: x < 0),
                each("at pass@8 `pass_at_4` is ahead of `dapo`", ahead(8), points, lambda x: x > 0),
            ],
        )


@dataclass(frozen=True, slots=True)
class More:
    """Gains over the same SFT checkpoint, of RL and of imitation that costs as much."""

    rl: float
    more: float


class MoreSft(Experiment):
    name = "sft-more"
    title = "SFT for the same extra compute"
    question = (
        "Read from the runs of recipes/chain.yaml: `sft_more` goes on with imitation for as many FLOPs as `rl` took."
    )

    @property
    def recipe(self) -> Path:
        return Path("recipes/chain.yaml")

    def run_of(self, runs: Path, seed: int) -> Path:
        return runs / f"seed-{seed}"

    def read(self, run: Path) -> More:
        found = collect(run)
        return More(found.gain, found.more_gain)

    def tell(self, found: Sequence[More]) -> Told:
        gains = [mean_over_seeds([getattr(s, which) for s in found], points) for which in ("rl", "more")]
        table = [*head("gain over `sft`, points", "RL", "more SFT"), line("sampled", *gains)]
        share = [s.more / s.rl for s in found]
        return Told(table, [each("more SFT gains less than half of what RL gains", share, percent, lambda x: x < 0.5)])

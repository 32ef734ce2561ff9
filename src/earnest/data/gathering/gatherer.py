"""Problems to the groups that one optimizer step learns from.

A step has as many places as prompts are asked for. Each is filled with a prompt and its tries; a place whose group carries no
signal may be filled again: by a hinted second try at the same prompt, by fresh prompts, by a live group of an earlier step.
What still carries none stays, so that the step knows how many of its groups are live. Everything that was sampled is handed on
as `seen`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from earnest.data.gathering.curriculum import Drawn, Draws
from earnest.data.gathering.failures import Tell, Watch
from earnest.data.gathering.groups import Live, has_signal, is_all_wrong
from earnest.data.gathering.hints import Gold, Hinting
from earnest.data.gathering.metrics import pass_rate, rollout_metrics, task_metrics
from earnest.data.gathering.posterior import HALF_LIFE, Posteriors
from earnest.data.gathering.refill import BUDGET, Ledger
from earnest.data.gathering.remedies import Remedies
from earnest.data.gathering.replay import Buffer, Kept
from earnest.data.rewarding import level, reward
from earnest.data.rollouts import Roller
from earnest.data.select import among
from earnest.engines.base import EngineSession
from earnest.rewards.base import Weighted, correct_alone
from earnest.seeding import derive
from earnest.tasks.union import Union
from earnest.types import Group, Json, Problem, Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How many prompts and tries, how drawn, how rewarded, what is done about groups without a signal."""

    prompts_per_step: int
    group_size: int
    sampling: Sampling
    seed: int
    error_ceiling: float  # share of a step's rollouts on which the grader or a reward term may fail
    reward: tuple[Weighted, ...] = field(default_factory=correct_alone)
    held_out: frozenset[str] = frozenset()  # questions of evaluations, normalised
    remedies: Remedies = field(default_factory=Remedies)


@dataclass(frozen=True, slots=True)
class Gathered:
    """One step's groups. Those in `groups` that are in `seen` are the same objects."""

    groups: tuple[Group, ...]  # what is learned from, by place
    seen: tuple[Group, ...]  # everything that was sampled, in that order, hinted tries included
    replayed: frozenset[int]  # places in `groups` from the replay buffer: their pi_old is the sampler's log-probs
    metrics: Mapping[str, float]  # of the unhinted tries; frac_reward_zero_std of `groups`
    timing: Mapping[str, float]  # seconds
    notes: Mapping[str, float]  # what the remedies did, and problems that an evaluation asks as well

    @property
    def tokens(self) -> int:
        """Tokens that were sampled."""
        return sum(sum(r.completion.sampled) for group in self.seen for r in group.rollouts)

    @property
    def oldest(self) -> int:
        """The oldest version of the policy that sampled any of what is seen."""
        return min(r.completion.policy_version for group in self.seen for r in group.rollouts)

    def advantages(self, first_N: Sequence[float]) -> list[float | None]:
        """The advantages of `groups` (one per rollout) as those of `seen`: None where nothing was learned from it."""
        given = iter(first_N)
        by_group = {id(group): [next(given) for _ in group.rollouts] for group in self.groups}
        return [a for group in self.seen for a in by_group.get(id(group), [None] * len(group.rollouts))]


@dataclass(slots=True)
class _Step:
    """What a step has come to while it is gathered."""

    number: int  # from 0
    live: Live
    places: dict[int, Group] = field(default_factory=dict[int, Group])
    seen: list[Group] = field(default_factory=list[Group])
    uniform: list[Group] = field(default_factory=list[Group])
    shares: list[float] = field(default_factory=list[float])  # of the traces, given as hints
    rounds: int = 0
    levelled: int = 0  # unhinted groups in which a term counted with its mean
    known: int = 0  # drawn prompts that had been tried before
    failure: str = ""
    generate: float = 0.0
    grade: float = 0.0

    @property
    def fresh(self) -> list[Group]:
        return [group for group in self.seen if not group.given]

    def empty(self, places: int) -> list[int]:
        """Places whose group carries no signal, or that have none yet."""
        return [i for i in range(places) if i not in self.places or not self.live(self.places[i])]

    def level(self, terms: Sequence[Weighted]) -> None:
        """Level all that was sampled at once: groups of several rounds are compared with each other.

        A group that is levelled stays so, with another mean, so this changes nothing in which groups carry a signal.
        """
        found, _ = level(self.seen, terms, self.number)
        now = {id(before): after for before, after in zip(self.seen, found, strict=True)}
        self.seen = list(found)
        self.places = {place: now[id(group)] for place, group in self.places.items()}
        self.uniform = [now[id(group)] for group in self.uniform]


class Gatherer:
    """Gathers one step after the other. Its state is all that a resumed run needs to go on alike."""

    def __init__(
        self, problems: Sequence[Problem], roller: Roller, asking: Asking, *, tell: Tell = lambda event, sentence: None,
        live: Live = has_signal, gold: Gold | None = None, context: int = 0,
    ) -> None:  # fmt: skip
        """live: of whoever learns from the groups. gold, context: of the task and the policy; read only with hints.

        Raises ConfigError where no hint can be given.
        """
        remedies = asking.remedies
        self.live = live
        self.roller, self.asking, self.tell = roller, asking, tell
        self.tasks = tuple(p.name for p in problems.portions) if isinstance(problems, Union) else ()
        self.draws = Draws(problems, asking.seed, remedies.curriculum)
        self.posteriors = Posteriors(remedies.curriculum.half_life if remedies.curriculum else HALF_LIFE)
        self.watch = Watch(asking.error_ceiling, roller.verifier.name, tuple(t.name for t in asking.reward), tell)
        self.ledger = Ledger(remedies.refill) if remedies.refill is not None else None
        self.buffer = Buffer(remedies.replay_groups) if remedies.replay_groups is not None else None
        self.hinting: Hinting | None = None
        if remedies.hints is not None:
            assert gold is not None
            self.hinting = Hinting(remedies.hints, gold, roller, context)
            self.hinting.check(problems)

    def gather(self, step: int, engine: EngineSession) -> Gathered:
        """The groups of step `step` (from 0). Raises GateRefused where grading fails too often, or nothing is ever live."""
        asked = self.asking.prompts_per_step
        state = _Step(step, self.live)
        for _ in range(1 + (self.ledger.refill.attempts if self.ledger else 0)):
            empty = state.empty(asked)
            if not empty:
                break
            self._fill(state, empty, engine)
        state.level(self.asking.reward)
        dead = state.empty(asked)
        if self.ledger is not None:
            sentence = self.ledger.note(step, asked, asked - len(dead), state.fresh, self.live)
            if sentence is not None:
                self.tell(BUDGET, sentence)
        replayed = self._replay(state, dead)
        held_out = among([group.problem for group in state.fresh], self.asking.held_out)
        return Gathered(
            tuple(state.places[i] for i in range(asked)), tuple(state.seen), frozenset(replayed),
            metrics={**self._rollout_metrics(state), "frac_reward_zero_std": len(state.empty(asked)) / asked},
            timing={"time/generate": state.generate, "time/grade": state.grade},
            notes={"data/held_out": float(held_out), **self._remedy_metrics(state, dead, replayed)},
        )  # fmt: skip

    def _fill(self, state: _Step, empty: Sequence[int], engine: EngineSession) -> None:
        """One round: a prompt and its tries for every empty place, and a hinted second try where all were wrong."""
        remedies, step = self.asking.remedies, state.number
        drawn = self.draws.take(len(empty), step, self.posteriors)
        state.known += sum(d.problem.id in self.posteriors for d in drawn)
        # The names of the first round's seeds are those of a step without remedies.
        names = () if state.rounds == 0 else ("refill", state.rounds)
        groups = self._sample(state, [d.problem for d in drawn], [self._size(d, step) for d in drawn], names, engine)
        for place, drew, group in zip(empty, drawn, groups, strict=True):
            state.places[place] = group
            if drew.uniform:
                state.uniform.append(group)
            if remedies.need_posteriors:
                self.posteriors.observe(group, step)
        if self.hinting is not None:
            self._hint(self.hinting, state, empty, names, engine)
        state.rounds += 1

    def _size(self, drawn: Drawn, step: int) -> int:
        hard, usual = self.asking.remedies.hard, self.asking.group_size
        is_hard = hard is not None and self.posteriors.at(drawn.problem.id, step).mean < hard.below
        return hard.group_size if hard is not None and is_hard else usual

    def _hint(
        self, hinting: Hinting, state: _Step, places: Sequence[int], names: tuple[str | int, ...], engine: EngineSession
    ) -> None:
        """Try again with a hint where this round's tries were all wrong and the posterior expects no better."""
        below = hinting.hints.below
        stuck = [
            (place, head)
            for place in places
            if is_all_wrong(group := state.places[place])
            and not self.live(group)
            and self.posteriors.at(group.problem.id, state.number).mean < below
            and (head := hinting.head(group.problem))
        ]
        if not stuck:
            return
        plain = [state.places[place] for place, _ in stuck]
        sizes = [len(group.rollouts) for group in plain]
        heads = [head for _, head in stuck]
        groups = self._sample(state, [g.problem for g in plain], sizes, (*names, "hints"), engine, heads)
        for (place, _), group in zip(stuck, groups, strict=True):
            state.shares.append(hinting.share(group.problem.id))
            hinting.observe(group)
            if self.live(group):
                state.places[place] = group

    def _sample(
        self, state: _Step, problems: Sequence[Problem], sizes: Sequence[int], names: tuple[str | int, ...],
        engine: EngineSession, heads: Sequence[tuple[int, ...]] | None = None,
    ) -> Sequence[Group]:  # fmt: skip
        """Judged and rewarded tries, which count as seen. names: of their seeds, besides the step."""
        asking, step = self.asking, state.number
        collected = self.roller.collect(
            problems, engine, n=sizes, sampling=asking.sampling,
            seed=derive(asking.seed, "rollout", step, *names), forced=heads,
        )  # fmt: skip
        rewarding = time.perf_counter()
        rewarded = reward(collected.groups, asking.reward, derive(asking.seed, "reward", step, *names), step)
        state.generate += collected.timing.generate
        state.grade += collected.timing.grade + time.perf_counter() - rewarding
        state.failure = state.failure or rewarded.failure
        state.levelled += 0 if heads else rewarded.levelled
        state.seen += rewarded.groups
        self.watch.look(step, state.seen, state.failure)
        return rewarded.groups

    def _replay(self, state: _Step, dead: Sequence[int]) -> dict[int, Kept]:
        """Let kept groups stand in for some of the dead, and keep this step's live ones."""
        if self.buffer is None:
            return {}
        live = [group for _, group in sorted(state.places.items()) if self.live(group)]
        most = self.buffer.config.places(self.asking.prompts_per_step)
        kept = self.buffer.take(min(most, len(dead)), state.number)
        replayed = dict(zip(dead, kept, strict=False))
        for place, one in replayed.items():
            state.places[place] = one.group
        self.buffer.keep(live, state.number)
        return replayed

    def _rollout_metrics(self, state: _Step) -> dict[str, float]:
        fresh = state.fresh
        found = {**task_metrics(fresh, self.tasks), **rollout_metrics(fresh)}
        return {**found, "groups/levelled": state.levelled / len(fresh)}

    def _remedy_metrics(self, state: _Step, dead: Sequence[int], replayed: Mapping[int, Kept]) -> dict[str, float]:
        remedies, fresh = self.asking.remedies, state.fresh
        found: dict[str, float] = {}
        if self.ledger is not None:
            found |= {"refill/prompts": float(len(fresh)), "refill/short": float(len(dead))}
        if remedies.curriculum is not None:
            found["pass_rate/drawn_uniformly"] = pass_rate(state.uniform) if state.uniform else float("nan")
            found["pass_rate/drawn_uniformly_n"] = float(len(state.uniform))
            found["curriculum/known"] = state.known / len(fresh)
        if remedies.hard is not None:
            size = remedies.hard.group_size
            found["hard/groups"] = float(sum(len(group.rollouts) == size for group in fresh))
        if self.buffer is not None:
            ages = [state.number - one.step for one in replayed.values()]
            found["replay/groups"] = float(len(ages))
            found["replay/age"] = sum(ages) / len(ages) if ages else float("nan")
        if self.hinting is not None:
            hinted = [group for group in state.seen if group.given]
            found["hints/groups"] = float(len(hinted))
            found["hints/pass_rate"] = pass_rate(hinted) if hinted else float("nan")
            found["hints/share"] = sum(state.shares) / len(state.shares) if hinted else float("nan")
        return found

    def last_words(self) -> str | None:
        """What refilling came to over the whole stage, if its budget was ever spent."""
        return None if self.ledger is None else self.ledger.last_words(self.asking.prompts_per_step)

    def state_dict(self) -> dict[str, Json]:
        return {
            "draws": self.draws.state_dict(), "told": self.watch.told, "posteriors": self.posteriors.state_dict(),
            "ledger": self.ledger and self.ledger.state_dict(), "buffer": self.buffer and self.buffer.state_dict(),
            "hints": self.hinting and self.hinting.state_dict(),
        }  # fmt: skip

    def load_state_dict(self, state: Json) -> None:
        assert isinstance(state, Mapping) and isinstance(state["told"], bool)
        self.watch.told = state["told"]
        self.draws.load_state_dict(state["draws"])
        self.posteriors.load_state_dict(state["posteriors"])
        for part, name in ((self.ledger, "ledger"), (self.buffer, "buffer"), (self.hinting, "hints")):
            if part is not None:
                part.load_state_dict(state[name])

"""What flows through the house: frozen values, each made in one place and never changed afterwards.

Problem -> Completion -> Verdict -> Rollout -> Group -> Step -> Sample -> Batch; Record is the line on disk. No behaviour
lives here beyond what a value can say about itself, and nothing is imported but the standard library: tensors appear in
annotations only.

Shape suffixes used throughout the package:

    _N  one entry per rollout of an optimizer step, in the order of its groups
    _T  one entry per *sampled* completion token (what a loss may touch), packed, in the order of N
    _L  one entry per token, prompt and completion, packed
    _S  one entry per sequence of a micro-batch
    _P  one entry per pair of completions
    _G  one entry per group (one prompt)
    _K  one entry per judged reasoning step
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

Json: TypeAlias = "None | bool | int | float | str | Sequence[Json] | Mapping[str, Json]"
Split: TypeAlias = Literal["train", "dev", "test"]


class Finish(StrEnum):
    """Why an engine stopped writing."""

    STOP = "stop"  # a stop token was sampled; it is the last token of the completion
    LENGTH = "length"  # the token limit or the context ended it
    ABORT = "abort"  # the engine gave up; never graded as an answer


class Status(StrEnum):
    """How grading ended. All but ERROR are graded; all but OK are graded wrong."""

    OK = "ok"
    NO_ANSWER = "no_answer"  # nothing was committed to, or several different things were
    TRUNCATED = "truncated"  # cut before the end; a prefix that looks right is not an answer
    LIMIT = "limit"  # the response ran past a limit of the grader: size, depth, time
    ERROR = "error"  # our side failed: crash, unreadable gold. Never a reward


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message. Example: Message("user", "What is 2+2?")."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One question with its gold answer.

    Example: Problem(id="chain/3f2a", task="chain", prompt="3+7-2+9+4=", answer="1", meta={"trace": "3+7=0;..."})
    """

    id: str
    task: str  # the name of the task that made it (the leaf's, in a mixture)
    prompt: str | tuple[Message, ...]
    answer: str | None  # None: nothing to grade against; only SFT may use it
    meta: Mapping[str, Json] = field(default_factory=dict[str, Json])

    @property
    def question(self) -> str:
        """The prompt as one text: what splits, overlap checks and reports key on."""
        if isinstance(self.prompt, str):
            return self.prompt
        return "\n".join(f"{m.role}: {m.content}" for m in self.prompt)


@dataclass(frozen=True, slots=True)
class Solution:
    """What a model should write (or, from Task.wrong, should not be paid for). Example: Solution("3+7=0;0-2=8;", "8")."""

    thought: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are drawn. temperature 0 is greedy; its log-probs are those of temperature 1."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0  # 0: off
    max_tokens: int = 256

    @property
    def is_full_distribution(self) -> bool:
        """True if log-probs at this temperature are the density that was sampled from (ratio-based losses need it)."""
        return self.temperature > 0 and self.top_p >= 1.0 and self.top_k == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One prompt to complete n times. The result depends on (prompt_ids, sampling, seed, sample index) alone."""

    prompt_ids: tuple[int, ...]
    n: int
    sampling: Sampling
    seed: int
    stop_ids: tuple[int, ...]  # any of them ends a completion and stays its last token
    tag: str  # comes back on every completion; unique within one call


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What an engine wrote for one sample of one request.

    Example: token_ids=(7, 9, 2), sampled=(True, True, True), logprobs=(-0.1, -0.7, -0.01), finish=STOP
    """

    tag: str
    index: int  # 0 .. n-1 within the request
    token_ids: tuple[int, ...] | None  # None from a text-only engine
    sampled: tuple[bool, ...]  # False: inserted by a tool, a budget or an environment; never in a loss
    logprobs: tuple[float, ...] | None  # per token, at the sampling temperature; 0.0 where not sampled
    finish: Finish
    policy_version: int
    sampling: Sampling
    text: str | None = None  # set by text-only engines


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A completion's text taken apart by its prompt format."""

    text: str
    thought: str | None  # None: no thought was written
    answer_text: str | None  # None: the thought never closed, so nothing was answered
    well_formed: bool  # the format the model was taught, exactly: one thought, closed, then an answer
    opening: str = ""  # the open mark, where the prompt wrote it and the text goes on from there


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What a verifier sees: the problem and the model's text, never the model."""

    problem: Problem
    parsed: Parsed
    truncated: bool  # the completion was cut by a limit or aborted


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of grading one completion. status ERROR has correct None and score None."""

    status: Status
    correct: bool | None
    score: float | None
    extracted: str | None = None  # the answer as read, for people
    reason: str = ""  # why not, in a few words; "" when correct
    parts: Mapping[str, float] = field(default_factory=dict[str, float])
    steps: tuple[tuple[int, float], ...] = ()  # (end character in the text, score) per reasoning step
    ms: float = 0.0

    def __post_init__(self) -> None:
        failed = self.status is Status.ERROR
        assert (self.correct is None) == failed and (self.score is None) == failed, self
        assert self.status is Status.OK or not self.correct, self


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One judged completion. `verdict.correct` is what reports count; `reward` is what RL maximises."""

    problem: Problem
    prompt_ids: tuple[int, ...]
    completion: Completion
    parsed: Parsed
    verdict: Verdict
    reward: float | None  # None: grading or a term failed; leaves the baseline, gets advantage 0
    reward_parts: Mapping[str, float | None]  # each term's own score; None: failed, or does not apply


@dataclass(frozen=True, slots=True)
class Group:
    """All rollouts of one prompt, in sampling order."""

    problem: Problem
    rollouts: tuple[Rollout, ...]
    given: int = 0  # tokens that every completion was made to begin with; they are the end of prompt_ids


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Process:
    """The judged reasoning steps of an optimizer step's rollouts, K in all. A rollout without any has one, its reward at its end.

    Example: score_K = [1., 0., 1.], rollout_K = [0, 0, 1], tokens_K = [4, 9, 7]: the first rollout has a right step of four
    tokens, then a wrong one of five.
    """

    score_K: Tensor  # float32; nan for a rollout whose grading failed
    rollout_K: Tensor  # int64, a place in N, ascending
    tokens_K: Tensor  # int64, the rollout's sampled tokens up to the end of the step


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """All groups of one optimizer step as an algorithm sees them: N rollouts with T sampled tokens in all.

    Example with two groups of two: reward_N = [1., 0., 0., nan], group_N = [0, 0, 1, 1], length_N = [3, 2, 4, 1], T = 10.
    """

    groups: tuple[Group, ...]
    reward_N: Tensor  # float32; nan where grading failed
    group_N: Tensor  # int64, 0 .. G-1, ascending
    length_N: Tensor  # int64, sampled tokens of each rollout
    finished_N: Tensor  # bool, False: cut, so a critic bootstraps
    sampler_logp_T: Tensor  # float32, as the engine recorded them
    value_T: Tensor | None = None  # critic before the update, if the algorithm needs "critic"
    bootstrap_N: Tensor | None = None  # critic's value after the last token; used where not finished
    ref_logp_T: Tensor | None = None  # reference policy, if it needs "reference"
    penalty_T: Tensor | None = None  # what a KL takes off the reward at each token, if it is in the reward
    process: Process | None = None  # judged reasoning steps, if it needs "steps"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """One training sequence. Tensors are over its trained tokens only (the True entries of mask).

    Example: token_ids=(5, 6, 7, 2), mask=(False, False, True, True), advantages=tensor([0.5, 0.5]), weight=1/64
    """

    token_ids: tuple[int, ...]
    mask: tuple[bool, ...]  # same length; mask[0] is False: nothing predicts the first token
    weight: float  # share of every token of this sequence in the step's loss
    kl_weight: float = 0.0  # of every token in the KL to the reference, where that is in the loss
    entropy_weight: float = 0.0  # of every token in the entropy bonus
    sampler_logprobs: Tensor | None = None  # of pairs in the first update alone; inf: nothing to compare with
    old_logprobs: Tensor | None = None  # None: the first update, pi_old is the detached forward pass
    advantages: Tensor | None = None
    returns: Tensor | None = None
    old_values: Tensor | None = None
    ref_logprobs: Tensor | None = None
    pair: int | None = None  # both completions of a pair carry its number, and stay in one micro-batch
    chosen: bool = False  # which of the two it is


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """The P pairs of a micro-batch. Example with a chosen completion before each rejected one: chosen_P = [0, 2]."""

    chosen_P: Tensor  # int64, its sequence
    rejected_P: Tensor  # int64
    weight_P: Tensor  # float32: share of each pair in the update's loss


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """A micro-batch: S samples packed end to end. index_T points from trained tokens into the L packed ones."""

    ids_L: Tensor  # int64
    cu_seqlens: Tensor  # int64, (S+1,): sequence s is ids_L[cu_seqlens[s]:cu_seqlens[s+1]]
    index_T: Tensor  # int64: position in L of each trained token
    seq_T: Tensor  # int64: its sequence
    weight_T: Tensor  # float32: its share in the step's loss
    kl_weight_T: Tensor  # float32
    entropy_weight_T: Tensor  # float32
    sampler_logp_T: Tensor | None = None
    old_logp_T: Tensor | None = None
    adv_T: Tensor | None = None
    return_T: Tensor | None = None
    old_value_T: Tensor | None = None
    ref_logp_T: Tensor | None = None
    pairs: Pairs | None = None  # where its sequences are whole pairs

    @property
    def sequences(self) -> int:
        return len(self.cu_seqlens) - 1

    def seq_sum(self, x_T: Tensor) -> Tensor:
        """Sum over the trained tokens of each sequence: (T,) -> (S,)."""
        return x_T.new_zeros(self.sequences).index_add(0, self.seq_T, x_T)

    def seq_mean(self, x_T: Tensor) -> Tensor:
        """Mean over the trained tokens of each sequence: (T,) -> (S,); 0 for a sequence without any."""
        return self.seq_sum(x_T) / self.seq_sum(x_T.new_ones(x_T.shape)).clamp(min=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One rollout on disk: enough to judge it again without a model."""

    problem: Problem
    index: int
    text: str
    thought: str | None
    answer_text: str | None
    well_formed: bool
    tokens: int  # sampled tokens
    thought_tokens: int
    finish: Finish
    policy_version: int
    sampling: Sampling
    verdict: Verdict
    reward: float | None
    stage: str
    step: int
    split: Split
    prompt_ids: tuple[int, ...] = ()
    token_ids: tuple[int, ...] = ()
    logprob_mean: float | None = None
    advantage: float | None = None
    reward_parts: Mapping[str, float | None] = field(default_factory=dict[str, float | None])
    given: int = 0  # tokens of the text that were not the model's, but the beginning of a gold


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run computes. Example: Machine(device="cpu", dtype="float32", threads=2)."""

    device: str
    dtype: str
    threads: int

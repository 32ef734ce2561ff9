"""From a verifier's scores of reasoning steps to tokens: ends within characters, inserted tokens, what has no steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from builders import NAN, make_process, make_rollout, make_step
from earnest.algorithms.grpo import GRPO
from earnest.algorithms.kl import KL
from earnest.algorithms.process_grpo import ProcessGRPO
from earnest.component import KeyedConfigError, build
from earnest.data.process import judged_steps, token_ends
from earnest.functional import credit
from earnest.models.base import Policy
from earnest.models.tiny import byte_tokenizer
from earnest.prompts.writing import decode
from earnest.train.updates import Learning, Planner
from earnest.types import Group, Item, Parsed, Rollout
from earnest.verifiers.steps import Steps

TOKENIZER = byte_tokenizer(256)
EOS = 257
SAMPLE = "  First 12 × 3 = 36.\n\nThen 36−1 = 35 ✓, so the answer is 35."


def byte_level() -> PreTrainedTokenizerFast:
    """As GPT-2's: bytes, merged within words."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    core.train_from_iterator([SAMPLE], trainers.BpeTrainer(vocab_size=300, show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=core)


def metaspace() -> PreTrainedTokenizerFast:
    """As Llama 2's: words with their spaces, bytes for what it has never seen; the first space of a text is not decoded."""
    core = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    strip = decoders.Strip(content=" ", left=1, right=0)
    core.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), strip])
    special = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=special, show_progress=False)
    core.train_from_iterator([SAMPLE.replace("×", "*").replace("✓", "")], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=core)


def rollout(
    text: str, *, steps: Sequence[tuple[int, float]] = (), reward: float = 1.0, stopped: bool = True
) -> Rollout:
    """One id per byte, and the stop token."""
    ids = (*text.encode(), EOS) if stopped else tuple(text.encode())
    made = make_rollout(0, 0, reward, len(ids), finished=stopped)
    verdict = replace(made.verdict, steps=tuple(steps))
    parsed = Parsed(text=text, thought=None, answer_text=text, well_formed=True)
    return replace(made, completion=replace(made.completion, token_ids=ids), parsed=parsed, verdict=verdict)


def steps_of(*rollouts: Rollout) -> list[tuple[int, int, float]]:
    found = judged_steps([Group(rollouts[0].problem, rollouts)], TOKENIZER)
    return list(zip(found.rollout_K.tolist(), found.tokens_K.tolist(), found.score_K.tolist(), strict=True))


def test_ends_are_brought_from_characters_to_tokens() -> None:
    text = "2×3=6; 6−6=0 ✓ 0"  # characters of two and three bytes, which are as many tokens
    for end in range(len(text) + 1):
        assert token_ends(rollout(text), [end], TOKENIZER) == [len(text[:end].encode())]
    assert token_ends(rollout(text, stopped=False), [5, len(text)], TOKENIZER) == [6, len(text.encode())]
    assert token_ends(rollout(""), [0], TOKENIZER) == [0]


def test_what_a_completion_was_made_to_begin_with_is_no_part_of_it() -> None:
    forced = rollout("=7; 7-2=5")
    forced = replace(forced, parsed=replace(forced.parsed, text="3+4" + forced.parsed.text))
    assert token_ends(forced, [2, 5, 12], TOKENIZER) == [0, 2, 9]


def test_bytes_that_are_no_character_do_not_move_an_end() -> None:
    ids = (*b"1+1=2", 0xE2, 0x9C, *b" 2+2=5", EOS)  # a character that was broken off
    text = str(TOKENIZER.decode(list(ids[:-1])))
    broken = rollout("x")
    completion = replace(broken.completion, token_ids=ids, sampled=(True,) * len(ids))
    broken = replace(broken, completion=completion, parsed=replace(broken.parsed, text=text))
    assert token_ends(broken, [5, len(text)], TOKENIZER) == [5, len(ids) - 1]


def test_garbage_takes_no_longer_than_text() -> None:
    ids = (*([0xE2] * 400), *b"1+1=2", EOS)
    made = rollout("x")
    text = str(TOKENIZER.decode(list(ids[:-1])))
    completion = replace(made.completion, token_ids=ids, sampled=(True,) * len(ids))
    made = replace(made, completion=completion, parsed=replace(made.parsed, text=text))
    assert token_ends(made, [len(text)], TOKENIZER) == [405]


@pytest.mark.parametrize("make", [byte_level, metaspace])
def test_ends_with_tokens_of_several_characters(make: Callable[[], PreTrainedTokenizerFast]) -> None:
    """What is found piece by piece is what decoding from the first token finds."""
    tokenizer = make()
    ids = tuple(tokenizer.encode(SAMPLE, add_special_tokens=False))
    assert len(ids) < len(SAMPLE)
    made = rollout("x", stopped=False)
    text = decode(ids, tokenizer)
    completion = replace(made.completion, token_ids=ids, sampled=(True,) * len(ids))
    made = replace(made, completion=completion, parsed=replace(made.parsed, text=text))
    for end in range(1, len(text) + 1):
        first = next(n for n in range(len(ids) + 1) if decode(ids[:n], tokenizer)[:end] == text[:end])
        assert token_ends(made, [end], tokenizer) == [first], (end, text[:end])


def test_the_verifiers_steps_reach_their_last_tokens() -> None:
    text = "3+4=7; 7*2=13; 13+1=14"
    plain = rollout(text)
    (verdict,) = Steps().judge([Item(problem=plain.problem, parsed=plain.parsed, truncated=False)])
    assert [score for _, score in verdict.steps] == [1.0, 0.0, 1.0]
    assert steps_of(replace(plain, verdict=verdict)) == [(0, 5, 1.0), (0, 13, 0.0), (0, 22, 1.0)]


def test_inserted_tokens_are_not_counted() -> None:
    made = rollout("1+1=2 2+2=4", steps=[(5, 1.0), (11, 0.5)])
    sampled = tuple(i not in (0, 1, 7) for i in range(12))
    made = replace(made, completion=replace(made.completion, sampled=sampled))
    assert steps_of(made) == [(0, 3, 1.0), (0, 8, 0.5)]
    nothing_written = replace(made, completion=replace(made.completion, sampled=(False,) * 5 + (True,) * 7))
    assert steps_of(nothing_written) == [(0, 6, 0.5)]  # the first step was not the policy's
    advantage_T = credit.steps_to_go(
        torch.tensor([2.0, 1.0]), torch.tensor([0, 0]), torch.tensor([0, 6]), torch.tensor([7])
    )
    assert advantage_T.tolist() == [1.0] * 6 + [0.0]


def test_a_step_that_was_given_as_a_hint_is_in_no_mean() -> None:
    """All of a group have it, and it is right: it would lower what the policy's own right steps are worth."""

    def hinted(text: str, score: float) -> Rollout:
        made = rollout(text, steps=[(5, 1.0), (11, score)], reward=score)
        return replace(made, parsed=replace(made.parsed, text="1+1=2" + text))

    assert steps_of(hinted(" 2+2=4", 1.0), hinted(" 2+2=5", 0.0)) == [(0, 6, 1.0), (1, 6, 0.0)]
    nothing_own = replace(hinted(" and so on", 0.0).verdict, steps=((5, 1.0),))
    assert steps_of(replace(hinted(" and so on", 0.0), verdict=nothing_own)) == [(0, 11, 0.0)]  # the reward


def test_without_steps_the_reward_is_the_only_one() -> None:
    cut = rollout("1+1=", reward=0.0, stopped=False)
    failed = rollout("1+1=2", reward=NAN)
    unpaid = replace(rollout("1+1=2", steps=[(5, 1.0)]), reward=None)  # graded, but a term of the reward failed
    found = steps_of(cut, failed, rollout("1+1=2"), unpaid)
    assert [(i, tokens) for i, tokens, _ in found] == [(0, 4), (1, 6), (2, 6), (3, 6)]
    assert [score if score == score else None for *_, score in found] == [0.0, None, 1.0, None]


def test_without_any_steps_it_is_grpo() -> None:
    rewards = [[1.0, 0.0, NAN, 0.5], [1.0, 1.0, 1.0, 1.0]]
    lengths = [3, 1, 4, 2, 5, 3, 3, 1]
    flat = [r for group in rewards for r in group]
    step = make_step(rewards, lengths, process=make_process([[r] for r in flat], [[n] for n in lengths]))
    ours, grpo = ProcessGRPO().credit(step), GRPO().credit(step)
    torch.testing.assert_close(ours.advantage_T, grpo.advantage_T)
    torch.testing.assert_close(ours.live_N, grpo.live_N)
    assert ours.metrics == grpo.metrics


def test_a_group_of_equal_steps_is_dead_whatever_the_rewards() -> None:
    process = make_process([[1.0, 1.0], [1.0], [0.0, 1.0], [1.0]], [[1, 3], [3], [1, 2], [3]])
    step = make_step([[1.0, 0.0], [1.0, 1.0]], process=process)
    found = ProcessGRPO().credit(step)
    assert found.live_N.tolist() == [False, False, True, True] and found.metrics["frac_reward_zero_std"] == 0.5
    a, b = 2**-0.5, -(2**0.5)  # (1 - 2/3) / (sqrt 2 / 3), (0 - 2/3) / (sqrt 2 / 3)
    expected = [0.0] * 6 + [a + b, a, 0.0] + [a] * 3
    torch.testing.assert_close(found.advantage_T, torch.tensor(expected))


def test_a_kl_in_the_reward_is_refused() -> None:
    with pytest.raises(KeyedConfigError, match=r"kl\.in_loss"):
        build("algorithm", {"name": "process_grpo", "kl": {"in_reward": 0.1}})
    assert ProcessGRPO().needs == {"steps", "reference"} and ProcessGRPO(kl=KL()).needs == {"steps"}


def test_the_planner_reads_the_steps_that_are_asked_for(tiny_policy: Policy) -> None:
    right, wrong = rollout("1+1=2", steps=[(5, 1.0)]), rollout("1+1=3", steps=[(5, 0.0)], reward=0.0)
    group = Group(right.problem, (right, wrong))
    learning = Learning(seed=0, temperature=1.0, max_tokens=64)
    plan = Planner(tiny_policy, ProcessGRPO(kl=KL()), learning).plan([group], 0)
    (samples,) = plan.updates
    assert plan.metrics["process/steps"] == 1.0
    unjudged = Group(right.problem, (rollout("1+1=2"), rollout("1+1=3", reward=0.0)))
    assert Planner(tiny_policy, ProcessGRPO(kl=KL()), learning).plan([unjudged], 0).metrics["process/steps"] == 0.0
    found = [s.advantages.tolist() for s in samples if s.advantages is not None]
    assert found == [[1.0] * 5 + [0.0], [-1.0] * 5 + [0.0]]  # the stop token stands after the step
    assert Planner(tiny_policy, GRPO(kl=KL()), learning).plan([group], 0).step.process is None

"""The engine `torch`: independence of company, distributions, stops, limits, errors."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from transformers.cache_utils import DynamicLayer

from earnest.engines._cache import ROOM, RoomyLayer
from earnest.engines._draw import Knobs, Uniforms, draw, restrict
from earnest.engines.torch import Torch
from earnest.errors import DataError
from earnest.models.base import Policy
from earnest.seeding import derive
from earnest.types import Completion, Finish, Request, Sampling
from policies import by_key, policy_of, request

SOURCE = Uniforms()
STOPS = tuple(range(0, 256, 24))
MIXED = [
    request("3+7=", tag="a", n=4, seed=1, max_tokens=24, stop_ids=STOPS),
    request("3", tag="b", n=3, seed=2, max_tokens=30, stop_ids=(7,), temperature=0.7),
    request("1-2-3-4-5-6=", tag="c", n=5, seed=3, max_tokens=12, stop_ids=STOPS[:3], top_p=0.8),
    request("9-9", tag="d", n=2, seed=4, max_tokens=9, stop_ids=(), temperature=0.0),
    request("12=", tag="e", n=3, seed=5, max_tokens=17, stop_ids=STOPS, top_k=5),
]


def run(policy: Policy, requests: list[Request], max_rows: int = 512) -> dict[tuple[str, int], Completion]:
    return by_key(list(Torch(max_rows=max_rows).open(policy).generate(requests)))


def assert_same(left: dict[tuple[str, int], Completion], right: dict[tuple[str, int], Completion]) -> None:
    """Equal but for the last bits of the log-probs."""
    assert left.keys() == right.keys()
    for key, a in left.items():
        b = right[key]
        assert a.logprobs is not None and b.logprobs is not None
        assert replace(a, logprobs=()) == replace(b, logprobs=()), key
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)


def test_identical_calls_give_identical_bits(tiny_policy: Policy) -> None:
    assert run(tiny_policy, MIXED) == run(tiny_policy, MIXED)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "mistral", "bloom"])
def test_neither_order_nor_company_nor_padding_matters(architecture: str) -> None:
    policy = policy_of(architecture)
    together = run(policy, MIXED)
    assert len({len(c.token_ids or ()) for c in together.values()}) > 4, "rows must leave at different times"
    assert_same(together, run(policy, MIXED[::-1]))
    assert_same(together, run(policy, MIXED, max_rows=3))
    alone: dict[tuple[str, int], Completion] = {}
    for one in MIXED:
        alone |= run(policy, [one], max_rows=1)
    assert_same(together, alone)


def test_more_samples_begin_with_the_same_ones(tiny_policy: Policy) -> None:
    few, many = (request("3+7=", n=n, seed=5, max_tokens=10) for n in (2, 6))
    more = run(tiny_policy, [many])
    assert_same(run(tiny_policy, [few]), {key: more[key] for key in [("0", 0), ("0", 1)]})
    assert len({c.token_ids for c in more.values()}) == 6


def test_seeds_differ_and_lengths_do_not(tiny_policy: Policy) -> None:
    one = run(tiny_policy, [request("3+7=", seed=5, max_tokens=10)])["0", 0].token_ids
    two = run(tiny_policy, [request("3+7=", seed=6, max_tokens=10)])["0", 0].token_ids
    longer = run(tiny_policy, [request("3+7=", seed=5, max_tokens=20)])["0", 0].token_ids
    assert one and two and longer and one != two and longer[:10] == one


def uniforms(seed: int, index: int, count: int) -> list[float]:
    out = np.zeros(count, dtype=np.float32)
    SOURCE.fill(out, seed, index)
    return out.tolist()


def test_a_draw_is_a_philox_stream_of_its_own_whatever_was_drawn_before() -> None:
    for seed, index, count in [(5, 0, 3), (5, 0, 7), (2**62, 9, 1), (5, 1, 5), (5, 0, 7)]:
        alone = np.random.Generator(np.random.Philox(key=derive(seed, "sample", index)))
        assert uniforms(seed, index, count) == alone.random(count, dtype=np.float32).tolist()
    assert uniforms(5, 0, 3) == uniforms(5, 0, 7)[:3]


def test_a_stop_token_is_kept_counted_as_sampled_and_ends_its_row_only(tiny_policy: Policy) -> None:
    free = run(tiny_policy, [request("3+7=", n=8, seed=3, max_tokens=12, stop_ids=())])
    stop = free["0", 0].token_ids[4]  # type: ignore[index]
    other = free["0", 1].token_ids[7]  # type: ignore[index]
    stopped = run(tiny_policy, [request("3+7=", n=8, seed=3, max_tokens=12, stop_ids=(stop, other))])
    for key, c in free.items():
        ids = c.token_ids or ()
        cut = next((i + 1 for i, token in enumerate(ids) if token in (stop, other)), None)
        assert stopped[key].token_ids == ids[:cut]
        assert stopped[key].sampled == (True,) * len(ids[:cut])
        assert stopped[key].finish is (Finish.LENGTH if cut is None else Finish.STOP)
    assert {c.finish for c in stopped.values()} == set(Finish) - {Finish.ABORT}


def test_pad_equal_to_eos_changes_nothing() -> None:
    usual, shared = policy_of("qwen2"), policy_of("qwen2")
    shared.tokenizer.pad_token = shared.tokenizer.eos_token
    shared.module.config.pad_token_id = 257
    requests = [
        request((257, 5), tag="a", n=4, max_tokens=30, stop_ids=(257, 9)), request((5,), tag="b", n=4, max_tokens=30)
    ]  # fmt: skip
    assert run(usual, requests) == run(shared, requests)


def test_the_last_token_that_fits_is_written_and_no_more() -> None:
    policy = policy_of("gpt2")  # learned positions: one too many is an index error
    prompts = {"long": range(60), "full": range(63), "short": range(5)}
    many = {"long": 1, "full": 1, "short": 20}  # few enough finish early to stay in the batch with the others
    requests = [request(tuple(p), tag=tag, n=many[tag], max_tokens=200, stop_ids=()) for tag, p in prompts.items()]
    for (tag, _), c in run(policy, requests).items():
        assert len(prompts[tag]) + len(c.token_ids or ()) == policy.context_length == 64
        assert c.finish is Finish.LENGTH


@pytest.mark.parametrize(("length", "words"), [(64, "64 tokens"), (70, "70 tokens"), (0, "empty prompt")])
def test_a_prompt_without_room_is_refused_by_name(length: int, words: str) -> None:
    requests = [request((1, 2)), request((1,) * length, tag="problem 7")]
    with pytest.raises(DataError, match=words) as caught:
        run(policy_of("llama"), requests)
    assert "problem 7" in str(caught.value) and (length == 0 or "64" in str(caught.value))


def test_the_reader_of_completions_keeps_its_grad_mode(tiny_policy: Policy) -> None:
    modes = [
        torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        for _ in Torch().open(tiny_policy).generate(MIXED)
    ]
    assert len(modes) == 17 and all(modes)


def test_frequencies_are_the_softmax_at_the_temperature(tiny_policy: Policy) -> None:
    ids = (51, 43)
    with torch.no_grad():
        logits = tiny_policy.module(torch.tensor([ids])).logits[0, -1].double()
    for temperature in (1.0, 0.5):
        completions = run(tiny_policy, [request(ids, n=6000, seed=11, max_tokens=1, temperature=temperature)], 6000)
        count = Counter(c.token_ids[0] for c in completions.values() if c.token_ids)
        expected = (logits / temperature).softmax(-1) * 6000
        likely = [i for i in range(260) if expected[i] >= 10]
        seen = [*(count[i] for i in likely), 6000 - sum(count[i] for i in likely)]
        due = [*expected[likely].tolist(), 6000 - float(expected[likely].sum())]
        assert len(likely) > 20 and chisquare(seen, due).pvalue > 1e-3


def test_draws_are_independent_between_samples_and_steps() -> None:
    table = torch.tensor([uniforms(3, index, 50) for index in range(400)]).double()
    assert abs(float(table.mean()) - 0.5) < 0.01
    assert uniforms(3, 1, 4) != uniforms(4, 0, 4)
    assert float(torch.corrcoef(table.T).fill_diagonal_(0).abs().max()) < 0.25
    assert float(torch.corrcoef(table[:50]).fill_diagonal_(0).abs().max()) < 0.65


PROBS = torch.tensor([[0.1, 0.4, 0.05, 0.25, 0.2]])


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(top_k=1), [1]),
        (Sampling(top_k=3), [1, 3, 4]),
        (Sampling(top_p=0.39), [1]),
        (Sampling(top_p=0.41), [1, 3]),
        (Sampling(top_p=0.86), [0, 1, 3, 4]),
        (Sampling(top_p=1.0), [0, 1, 2, 3, 4]),
        (Sampling(top_k=3, top_p=0.45), [1]),  # 0.4 of the 0.85 that are left is more than 0.45
        (Sampling(top_k=3, top_p=0.5), [1, 3]),
        (Sampling(top_k=99), [0, 1, 2, 3, 4]),
    ],
)
def test_top_k_and_top_p_keep_what_they_should(sampling: Sampling, kept: list[int]) -> None:
    both = restrict(PROBS.repeat(2, 1), Knobs.of([sampling, Sampling(top_k=2)], torch.device("cpu")))
    assert both[0].nonzero().squeeze(1).tolist() == kept and both[1].nonzero().squeeze(1).tolist() == [1, 3]
    assert torch.equal(both[0, kept], PROBS[0, kept])


def test_equal_probabilities_rank_by_id() -> None:
    kept = restrict(torch.full((1, 4), 0.25), Knobs.of([Sampling(top_k=2)], torch.device("cpu")))
    assert kept.tolist() == [[0.25, 0.25, 0.0, 0.0]]


@pytest.mark.parametrize("u", [0.0, 0.5, 1 - 2.0**-24])
def test_a_draw_never_takes_an_impossible_token(u: float) -> None:
    logits = torch.tensor([[-torch.inf, 1.0, -torch.inf, 2.0, -torch.inf]])
    token, logp = draw(logits, Knobs.of([Sampling()], torch.device("cpu")), torch.tensor([u]))
    assert token.item() == (1 if u < 0.26 else 3) and logp.isfinite().all()


def test_filters_restrict_tokens_but_not_the_recorded_logprob(tiny_policy: Policy) -> None:
    with torch.no_grad():
        logp = tiny_policy.module(torch.tensor([(51, 43)])).logits[0, -1].log_softmax(-1)
    best = set(logp.topk(3).indices.tolist())
    for c in run(tiny_policy, [request((51, 43), n=60, max_tokens=1, top_k=3)]).values():
        assert c.token_ids and c.logprobs and c.token_ids[0] in best
        assert c.logprobs[0] == pytest.approx(float(logp[c.token_ids[0]]), abs=1e-5)


def test_a_cache_with_room_holds_what_the_librarys_holds() -> None:
    roomy, plain = RoomyLayer(), DynamicLayer()
    for rows, width, order in [(3, 5, [0, 0, 1, 2, 2]), (5, 1, [4, 2]), *[(2, 1, None)] * (ROOM + 9), (2, 7, [1])]:
        keys, values = torch.randn(rows, 2, width, 4), torch.randn(rows, 2, width, 6)
        for mine, theirs in zip(roomy.update(keys, values), plain.update(keys, values), strict=True):
            assert torch.equal(mine, theirs)
        if order is not None:
            roomy.reorder_cache(torch.tensor(order))
            plain.reorder_cache(torch.tensor(order))
    assert roomy.get_seq_length() == plain.get_seq_length() == ROOM + 22

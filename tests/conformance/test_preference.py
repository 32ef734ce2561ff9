"""What every loss on pairs must keep to, with its defaults. A new file in `preference/` is tested by being there."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from builders import Toy
from earnest import component
from earnest.data.batch import pack, split
from earnest.data.pairs import referred, together
from earnest.data.reading import read_tokens
from earnest.distributed.ranks import ALONE, Ranks
from earnest.models.base import Forward, Policy
from earnest.preference.base import PairLoss, Preference, Side
from earnest.train.preference import PairedCompletions
from earnest.train.step import accumulate
from earnest.types import Sample

LENGTHS = [[3, 1], [4, 2], [1, 5], [3, 3]]
"""Sampled tokens of the chosen and the rejected completion of each pair."""
CPU = torch.device("cpu")


VARIANTS = [{"name": "ipo", "over": "sum"}, {"name": "dpo", "alpha": 0.0}]


@pytest.fixture(params=[*component.names("preference"), *VARIANTS], ids=str)
def preference(request: pytest.FixtureRequest) -> Preference:
    return component.build("preference", request.param)


def toy_sides(toy: Toy, ref_logp_T: Tensor, pairs: list[int]) -> tuple[Side, Side]:
    """Sums of the toy's log-probs over each completion, of the given pairs."""
    logp_T, flat = toy.logp(), [n for row in LENGTHS for n in row]
    logps, refs = logp_T.split(flat), ref_logp_T.split(flat)
    found = []
    for side in (0, 1):
        at = [2 * p + side for p in pairs]
        length_P = torch.tensor([flat[i] for i in at], dtype=torch.float64)
        found.append(
            Side(torch.stack([logps[i].sum() for i in at]), torch.stack([refs[i].sum() for i in at]), length_P)
        )
    return found[0], found[1]


def toy_and_reference() -> tuple[Toy, Tensor]:
    toy = Toy.make(sum(map(sum, LENGTHS)))
    other = Toy(
        toy.logits.detach() + 0.3 * torch.cos(torch.arange(9.0)).view(3, 3), toy.critic, toy.previous_T, toy.symbol_T
    )
    return toy, other.logp().detach()


def of_toy(preference: Preference, toy: Toy, ref_logp_T: Tensor, pairs: list[int] | None = None) -> PairLoss:
    return preference.pair_loss(*toy_sides(toy, ref_logp_T, [0, 1, 2, 3] if pairs is None else pairs))


def test_one_loss_per_pair_and_metrics_without_gradient(preference: Preference) -> None:
    toy, ref_logp_T = toy_and_reference()
    found = of_toy(preference, toy, ref_logp_T)
    assert found.loss_P.shape == (4,) and found.loss_P.isfinite().all() and found.loss_P.requires_grad
    for value in found.metrics.values():
        assert value.shape == (4,) and value.isfinite().all() and not value.requires_grad


def test_a_pair_costs_the_same_in_any_company_and_order(preference: Preference) -> None:
    toy, ref_logp_T = toy_and_reference()
    whole = of_toy(preference, toy, ref_logp_T).loss_P
    for some in ([0], [3], [2, 0], [3, 1, 0, 2]):
        torch.testing.assert_close(
            of_toy(preference, toy, ref_logp_T, some).loss_P, whole[some], rtol=1e-12, atol=1e-12
        )


def test_loss_agrees_with_finite_differences(preference: Preference) -> None:
    toy, ref_logp_T = toy_and_reference()

    def value() -> Tensor:
        return of_toy(preference, toy, ref_logp_T).loss_P.sum()

    exact = toy.gradient(value())
    assert exact.abs().max() > 1e-3
    torch.testing.assert_close(exact, toy.differences(value), rtol=1e-5, atol=1e-7)


def test_it_begins_by_raising_the_chosen_and_lowering_the_rejected(preference: Preference) -> None:
    logp_P = torch.tensor([-4.0, -0.1, -30.0], dtype=torch.float64)
    length_P = torch.tensor([3.0, 1.0, 9.0], dtype=torch.float64)
    chosen, rejected = (Side(logp_P.clone().requires_grad_(), logp_P, length_P) for _ in range(2))
    assert torch.equal(preference.reward(chosen), torch.zeros(3, dtype=torch.float64))
    up, down = torch.autograd.grad(
        preference.pair_loss(chosen, rejected).loss_P.sum(), (chosen.logp_P, rejected.logp_P)
    )
    assert (up < 0).all() and (down > 0).all()


def test_extreme_pairs_stay_finite(preference: Preference) -> None:
    for a, b in ((-1e4, -1.0), (-1.0, -1e4)):
        sides = [
            Side(torch.tensor([x], requires_grad=True), torch.tensor([-50.0]), torch.tensor([10.0])) for x in (a, b)
        ]
        loss_P = preference.pair_loss(sides[0], sides[1]).loss_P
        gradients = torch.autograd.grad(loss_P.sum(), [s.logp_P for s in sides])
        assert loss_P.isfinite().all() and all(g.isfinite().all() for g in gradients)


def pairs_of_tokens(policy: Policy) -> tuple[Sample, ...]:
    """Five pairs over one update, some with tokens that were inserted and not sampled; the reference is another policy."""
    draw, samples = random.Random(4), []
    for number in range(5):
        prompt = tuple(draw.randrange(40, 90) for _ in range(2 + number % 2))
        for chosen in (True, False):
            length = draw.randrange(1, 7)
            ids = tuple(draw.randrange(40, 90) for _ in range(length + 1))
            mask = tuple(t == 0 or t != number for t in range(length + 1))  # pair n lost its n-th token to a tool
            samples.append(
                Sample(
                    token_ids=(*prompt, *ids),
                    mask=(*[False] * len(prompt), *mask),
                    weight=0.0,
                    pair=number,
                    chosen=chosen,
                )
            )
    other = copy.deepcopy(policy)
    with torch.no_grad():
        for _, parameter in other.parameters():
            parameter.mul_(1.1)
    return together(referred(samples, read_tokens(other, samples, 4096, 1.0, lambda _, f: f.logp_T)), range(5))


def gradient(
    policy: Policy, preference: Preference, samples: tuple[Sample, ...], max_tokens: int, ranks: Ranks = ALONE
) -> tuple[Tensor, float]:
    for _, parameter in policy.parameters():
        parameter.grad = torch.zeros_like(parameter)
    found = accumulate(policy, PairedCompletions(preference, 1.0), samples, max_tokens, ranks)
    return torch.cat([p.grad.flatten() for _, p in policy.parameters() if p.grad is not None]), found.loss


class Share(Ranks):
    """One of several ranks, whose share is not added to the others'."""

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        pass

    def sum(self, values: Mapping[str, float]) -> dict[str, float]:
        return dict(values)

    max = sum


def test_no_way_of_splitting_an_update_changes_it(tiny_policy: Policy, preference: Preference) -> None:
    policy = copy.deepcopy(tiny_policy)
    samples = pairs_of_tokens(policy)
    whole, loss = gradient(policy, preference, samples, 100_000)
    assert whole.abs().max() > 1e-4
    shuffled = tuple(random.Random(1).sample(samples, len(samples)))
    for max_tokens in (1, 20, 40):
        assert len(split(samples, max_tokens)) > 1
        for order in (samples, samples[::-1], shuffled):
            other, its_loss = gradient(policy, preference, order, max_tokens)
            scale = whole.abs().max().item()
            torch.testing.assert_close(other, whole, rtol=1e-4, atol=2e-6 * max(1.0, scale))
            assert its_loss == pytest.approx(loss, rel=1e-5)


def test_shares_of_an_update_add_up_to_it(tiny_policy: Policy, preference: Preference) -> None:
    policy = copy.deepcopy(tiny_policy)
    samples = pairs_of_tokens(policy)
    whole, loss = gradient(policy, preference, samples, 100_000)
    for size in (2, 3, 7):
        found = [gradient(policy, preference, samples, 40, Share(rank, size)) for rank in range(size)]
        torch.testing.assert_close(
            torch.stack([g for g, _ in found]).sum(0), whole, rtol=1e-4, atol=2e-6 * max(1.0, whole.abs().max().item())
        )
        assert sum(part for _, part in found) == pytest.approx(loss, rel=1e-5)


def test_the_loss_is_of_sums_over_sampled_tokens_and_a_mean_over_pairs(
    tiny_policy: Policy, preference: Preference
) -> None:
    samples = pairs_of_tokens(tiny_policy)
    batch = pack(samples, CPU)
    logp_T = -torch.linspace(0.1, 2.0, len(batch.index_T))
    forward = Forward(logp_T, torch.zeros(len(logp_T), 1), 0)
    cost = PairedCompletions(preference, 1.0)(batch, forward)
    parts = dict(zip(((s.pair, s.chosen) for s in samples), logp_T.split([sum(s.mask) for s in samples]), strict=True))
    total = 0.0
    for number in range(5):
        sides = [
            Side(parts[number, c].sum()[None], s.ref_logprobs.sum()[None], torch.tensor([float(sum(s.mask))]))
            for c in (True, False)
            for s in samples
            if (s.pair, s.chosen) == (number, c) and s.ref_logprobs is not None
        ]
        total += preference.pair_loss(sides[0], sides[1]).loss_P.item() / 5
        assert cost.means["logps/chosen"][number].item() == pytest.approx(parts[number, True].sum().item(), abs=1e-5)
        margin = (preference.reward(sides[0]) - preference.reward(sides[1])).item()
        assert cost.means["rewards/margins"][number].item() == pytest.approx(margin, abs=1e-5)
        assert cost.means["rewards/accuracies"][number].item() == float(margin > 0)
    assert cost.total.item() == pytest.approx(total, rel=1e-5)


def test_what_was_inserted_is_read_and_never_learned(tiny_policy: Policy, preference: Preference) -> None:
    samples = pairs_of_tokens(tiny_policy)
    lengths = [sum(s.mask) for s in samples]
    assert any(n < len(s.token_ids) - s.mask.index(True) for n, s in zip(lengths, samples, strict=True))
    found = accumulate(copy.deepcopy(tiny_policy), PairedCompletions(preference, 1.0), samples, 4096)
    assert found.tokens == sum(lengths)


def test_a_pair_that_is_torn_apart_is_no_loss(preference: Preference) -> None:
    sample = Sample(token_ids=(1, 2), mask=(False, True), weight=1.0, ref_logprobs=torch.zeros(1), pair=0, chosen=True)
    for samples in ([sample], [sample, sample], [sample, replace(sample, pair=None)]):
        forward = Forward(torch.zeros(len(samples)), torch.zeros(len(samples), 1), 0)
        with pytest.raises(AssertionError, match="torn apart"):
            PairedCompletions(preference, 1.0)(pack(samples, CPU), forward)

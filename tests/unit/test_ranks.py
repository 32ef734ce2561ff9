"""Two processes that train together equal one, up to the order of the sums, for every algorithm."""

from __future__ import annotations

import copy
import math
import pickle
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from earnest import component
from earnest.algorithms.base import Algorithm
from earnest.algorithms.kl import KL
from earnest.data.samples import demonstrations
from earnest.distributed.ranks import ALONE, Ranks
from earnest.models.base import Policy
from earnest.models.critic import Critic
from earnest.models.tiny import Tiny
from earnest.train.losses import PolicyGradient
from earnest.train.mismatch import Mismatch
from earnest.train.reference import Reference
from earnest.train.step import accumulate, update
from earnest.train.updates import Entropy, Learning, Planner
from earnest.types import Group, Machine
from judged_groups import judged_groups, with_steps

ALGORITHMS = [*component.names("algorithm"), "ppo with a critic of its own", "process_grpo with judged steps"]
LR = 0.01
IMITATED = demonstrations([((3, 4), (5, 6, 2)), ((7,), (8, 2)), ((9, 3), (4, 4, 4, 2))])
"""Three, which two ranks cannot share out evenly."""


def made(name: str) -> Algorithm:
    """With its defaults, and with a KL where its paper has none: every rank reads the reference. Groups are of three."""
    algorithm = component.build(
        "algorithm", {"name": name, **({"k": 2} if name == "pass_at_k" else {})}
    ).with_max_tokens(8)
    return algorithm if algorithm.kl.on else algorithm.model_copy(update={"kl": KL(in_loss=0.1)})


def opened() -> Policy:
    torch.set_num_threads(1)
    return Tiny().open(Machine(device="cpu", dtype="float32", threads=1), seed=0)


def trained(case: str, groups: list[Group], ranks: Ranks) -> dict[str, Any]:
    """Two updates of one step's groups: weights and metrics."""
    name, _, special = case.partition(" with ")
    policy, algorithm = opened(), made(name)
    groups = with_steps(groups) if special == "judged steps" else groups
    critic = Critic(policy, opened() if special else None) if "critic" in algorithm.needs else None
    other = copy.deepcopy(policy)
    with torch.no_grad():
        for i, (_, parameter) in enumerate(other.parameters()):
            parameter.add_(
                0.05 * parameter.abs().mean() * torch.cos(torch.arange(parameter.numel()) + i).view_as(parameter)
            )
    entropy = Entropy(bonus=0.1, top_share=None if algorithm.one_action else 0.6)
    learning = Learning(seed=3, temperature=1.0, max_tokens=24, minibatches=2, entropy=entropy)
    planner = Planner(policy, algorithm, learning, critic=critic, reference=Reference(other, algorithm.kl), ranks=ranks)
    loss = PolicyGradient(algorithm, 1.0, critic, mismatch=Mismatch(method="sequence_tis"), with_entropy=True)
    parameters = [*policy.parameters(), *loss.head_parameters()]
    # not AdamW, which makes a full-size step of the rounding in a gradient of zero
    optimizer = torch.optim.SGD([{"params": [p for _, p in parameters], "lr_scale": 1.0}])
    plan = planner.plan(groups, 0)
    found = []
    for samples in plan.updates:
        gradient = accumulate(policy, loss, samples, 24, ranks, IMITATED)
        taken = update(policy, optimizer, LR, 1.0)
        found.append({**gradient.metrics, "loss": gradient.loss, "norm": taken.grad_norm, "tokens": gradient.tokens})
    weights = torch.cat([p.detach().flatten() for _, p in parameters])
    return {"weights": weights, "metrics": found, "plan": plan.metrics}


def run_rank(rank: int, size: int, port: int, groups: bytes, out: str) -> None:
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=size)
    ranks = Ranks.joined()
    assert (ranks.rank, ranks.size) == (rank, size)
    found = {name: trained(name, pickle.loads(groups), ranks) for name in ALGORITHMS}
    mine = [(rank, i) for i in range(3 + rank)]
    found["gathered"] = {"gathered": ranks.gather(mine), "summed": ranks.sum({"a": 1.0 + rank, f"only{rank}": 2.0})}
    nan = float("nan")
    broken = {"first": 1.0 if rank else nan, "last": nan if rank else 1.0, "fine": -1.0 - rank, f"only{rank}": nan}
    found["gathered"]["largest"] = ranks.max(broken)
    torch.save(found, Path(out) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes found."""
    out = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    groups = pickle.dumps(judged_groups(opened()))
    mp.start_processes(run_rank, (2, port, groups, str(out)), nprocs=2, start_method="spawn")  # pyright: ignore[reportPrivateImportUsage]
    return [torch.load(out / f"{rank}.pt", weights_only=False) for rank in range(2)]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_two_ranks_equal_one(two: list[dict[str, Any]], name: str) -> None:
    one = trained(name, judged_groups(opened()), ALONE)
    before = torch.cat([p.detach().flatten() for _, p in opened().parameters()])
    assert (one["weights"][: len(before)] - before).abs().max() > 1e-4
    assert torch.equal(two[0][name]["weights"], two[1][name]["weights"])
    torch.testing.assert_close(two[0][name]["weights"], one["weights"], rtol=0, atol=1e-6)
    for rank in two:
        assert rank[name]["plan"] == pytest.approx(one["plan"], rel=1e-4, abs=1e-6)
        for theirs, ours in zip(rank[name]["metrics"], one["metrics"], strict=True):
            assert theirs == pytest.approx(ours, rel=1e-3, abs=1e-5)


def test_shares_come_together_in_order_on_every_rank(two: list[dict[str, Any]]) -> None:
    for rank in two:
        assert rank["gathered"]["gathered"] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3)]
        assert rank["gathered"]["summed"] == {"a": 3.0, "only0": 2.0, "only1": 2.0}
        found = rank["gathered"]["largest"]
        assert found.pop("fine") == -1.0 and len(found) == 4 and all(math.isnan(x) for x in found.values())


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 5, 16])
def test_spans_are_disjoint_and_whole(size: int, count: int) -> None:
    spans = [list(Ranks(rank, size).span(count)) for rank in range(size)]
    assert [i for span in spans for i in span] == list(range(count))
    assert max(map(len, spans)) - min(map(len, spans)) <= 1


def test_one_process_is_alone() -> None:
    assert Ranks.joined() == ALONE and ALONE.gather([1, 2]) == [1, 2] and ALONE.mine([1, 2]) == [1, 2]

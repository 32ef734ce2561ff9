"""Adapters: what is trained, what is saved, and what a reference beside the policy costs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM

from earnest.algorithms.kl import KL
from earnest.data.batch import pack
from earnest.errors import ConfigError, MissingDependency
from earnest.models.base import Policy
from earnest.models.critic import Critic
from earnest.models.hf import HF
from earnest.models.lora import Lora, attach
from earnest.train.losses import NegativeLogLikelihood, PolicyGradient
from earnest.train.optim import Optim, build_optimizer
from earnest.train.reference import Reference
from earnest.train.step import accumulate, update
from policies import ARCHITECTURES, CPU, policy_of, sample

SAMPLES = [sample((5, 9, 200), (7, 7, 30, 257)), sample((5,), (100, 3), weight=0.5)]
BATCH = pack(SAMPLES, torch.device("cpu"))


def logp(policy: Policy) -> torch.Tensor:
    with torch.no_grad():
        return policy.forward(BATCH).logp_T


def adapted(architecture: str = "llama", seed: int = 0, **settings: object) -> Policy:
    policy = policy_of(architecture)
    attach(policy.module, Lora.model_validate({"rank": 4, **settings}), seed)
    return policy


def step(policy: Policy, lr: float = 1e-2) -> None:
    """One update of AdamW on the samples."""
    loss = NegativeLogLikelihood()
    accumulate(policy, loss, SAMPLES, 4096)
    assert update(policy, build_optimizer(policy, loss, Optim(lr=lr)), lr, 1.0).taken


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    policy_of("llama").save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_it_adds_nothing_at_first_and_is_all_that_learns(architecture: str) -> None:
    before = logp(policy_of(architecture))
    policy = adapted(architecture)
    assert torch.equal(logp(policy), before)
    trained = dict(policy.parameters())
    assert trained and all(".lora_" in name for name in trained)
    assert sum(p.numel() for p in trained.values()) < policy.size / 2
    frozen = {n: p.clone() for n, p in policy.module.named_parameters() if n not in trained}
    step(policy)
    assert not torch.allclose(logp(policy), before)
    assert all(torch.equal(frozen[n], p) for n, p in policy.module.named_parameters() if n in frozen)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_what_is_saved_is_a_plain_folder_with_the_adapter_in_it(architecture: str, tmp_path: Path) -> None:
    policy = adapted(architecture)
    step(policy)
    policy.save(tmp_path / "model")
    assert not list((tmp_path / "model").glob("adapter*"))
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
    assert plain.state_dict().keys() == policy_of(architecture).module.state_dict().keys()
    again = HF(path=str(tmp_path / "model")).open(CPU)
    torch.testing.assert_close(logp(again), logp(policy), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(logp(again), logp(policy_of(architecture)))


def test_the_seed_decides_and_the_global_state_does_not() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, same, other = (dict(adapted(seed=s).parameters()) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    drawn = [n for n in one if "lora_A" in n]
    assert all(torch.equal(one[n], same[n]) and not torch.equal(one[n], other[n]) for n in drawn)


def test_adapters_are_float32_whatever_the_weights_are_in(tmp_path: Path) -> None:
    policy = policy_of("llama")
    policy.module.bfloat16()
    attach(policy.module, Lora(rank=4), 0)
    assert {p.dtype for _, p in policy.parameters()} == {torch.float32}
    step(policy)
    policy.save(tmp_path / "model")
    assert {x.dtype for x in AutoModelForCausalLM.from_pretrained(tmp_path / "model").state_dict().values()} == {
        torch.bfloat16
    }


def test_targets_are_layers_by_name() -> None:
    names = {name.split(".")[4] for name, _ in adapted(targets=["q_proj", "v_proj"]).parameters()}
    assert names == {"q_proj", "v_proj"}
    for targets in (["no_such_layer"], ["q_proj", "vv_proj"], ["proj"], ["q_proj", "lm_head"], ["embed_tokens"]):
        with pytest.raises(ConfigError, match=f"no adapter can be put into '{targets[-1]}'"):
            adapted(targets=targets)


def test_without_peft_a_run_is_refused_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="lora needs peft"):
        HF.model_validate({"path": "org/model", "lora": {"rank": 4}}).require()
    HF(path="org/model").require()


def test_the_scale_is_alpha_over_rank() -> None:
    def change(alpha: float) -> torch.Tensor:
        policy = adapted(alpha=alpha, targets=["q_proj"])
        with torch.no_grad():
            for name, p in policy.parameters():
                p.fill_(1e-3 if "lora_B" in name else 1.0)
        return logp(policy) - logp(policy_of("llama"))

    torch.testing.assert_close(change(0.02) * 2, change(0.04), atol=1e-5, rtol=1e-2)


def test_new_marks_are_refused_because_no_adapter_trains_their_rows() -> None:
    with pytest.raises(ValidationError, match="add_markers with lora"):
        HF.model_validate({"path": "org/model", "add_markers": True, "lora": {"rank": 4}})


def test_a_reference_holds_the_input_checkpoint_and_the_same_frozen_memory(folder: Path) -> None:
    model = HF.model_validate({"path": str(folder), "lora": {"rank": 4}})
    policy, second = (model.to_train(model.open(CPU), 0) for _ in range(2))
    second.share_frozen(policy)
    theirs = dict(policy.module.named_parameters())
    own = [n for n, p in second.module.named_parameters() if p.data_ptr() != theirs[n].data_ptr()]
    assert own and own == [n for n, _ in second.parameters()]
    start = logp(second)
    step(policy)
    assert torch.equal(logp(second), start) and not torch.allclose(logp(policy), start)
    reference = Reference(second, KL(in_loss=0.1, reset_every=2))
    reference.renew(policy, 0)
    assert torch.equal(logp(second), start)
    reference.renew(policy, 1)
    assert torch.equal(logp(second), logp(policy))
    assert reference.tensors().keys() == dict(policy.parameters()).keys()


def test_a_critic_of_its_own_trains_its_adapter_and_its_head_alone(folder: Path) -> None:
    from earnest.component import build

    model = HF.model_validate({"path": str(folder), "lora": {"rank": 4}})
    policy, body = (model.to_train(model.open(CPU), 0) for _ in range(2))
    body.share_frozen(policy)
    names = [name for name, _ in PolicyGradient(build("algorithm", "ppo"), 1.0, Critic(policy, body)).head_parameters()]
    assert names and all("lora_" in name or "head.linear" in name for name in names)

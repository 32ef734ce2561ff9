"""What every architecture must do as a policy, and what every model plug-in promises."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from earnest.component import build, names
from earnest.data.batch import pack
from earnest.engines.torch import Torch
from earnest.models.base import Policy
from earnest.types import Sample
from policies import ARCHITECTURES, CPU, batch_of, policy_of, request, sample

DEVICE = torch.device("cpu")
SAMPLES = [
    sample((5, 9, 200), (7, 7, 30, 257)),
    sample((5,), (100, 3)),
    sample(tuple(range(20, 32)), tuple(range(50, 60))),
    sample((8, 8), (1,)),
]
GROUPS = [
    *(sample(tuple(range(20, 32)), tuple(range(50, 50 + n))) for n in (10, 1, 4)),
    *(sample((5, 9, 200), ids) for ids in ((7,), (7, 7, 30, 257), (200, 9, 5, 9, 200))),
    sample((7,), tuple(range(60, 123))),  # as long as the context
    replace(sample((8, 8, 8, 8), (1, 2, 3, 4, 5)), mask=(False,) * 4 + (True, False, False, True, False)),
]
"""Prompts of different lengths that several sequences begin with, and one with tokens that the model did not write."""
SETS = pytest.mark.parametrize("samples", [SAMPLES, GROUPS], ids=["apart", "groups"])


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def policy(request: pytest.FixtureRequest) -> Policy:
    return policy_of(request.param)


def logits_of(policy: Policy, ids: tuple[int, ...]) -> torch.Tensor:
    """The architecture's own logits for one sequence alone, (L, V)."""
    with torch.no_grad():
        return policy.module(torch.tensor([ids])).logits[0].float()


@SETS
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_and_entropies_are_those_of_the_architecture_itself(
    policy: Policy, temperature: float, samples: list[Sample]
) -> None:
    out = policy.forward(pack(samples, DEVICE), temperature=temperature, stats=frozenset({"entropy"}))
    logp, entropy = [], []
    for s in samples:
        table = (logits_of(policy, s.token_ids) / temperature).log_softmax(-1)
        for i, trained in enumerate(s.mask):
            if trained:
                logp.append(table[i - 1, s.token_ids[i]])
                entropy.append(-(table[i - 1].exp() * table[i - 1]).sum())
    assert torch.allclose(out.logp_T, torch.stack(logp), atol=1e-5)
    assert out.entropy_T is not None and torch.allclose(out.entropy_T, torch.stack(entropy), atol=1e-5)


def gradient(policy: Policy, micro_batches: list[list]) -> dict[str, torch.Tensor]:
    policy.module.zero_grad()
    for part in micro_batches:
        batch = pack(part, DEVICE)
        (policy.forward(batch).logp_T * batch.weight_T).sum().backward()
    return {name: p.grad.clone() for name, p in policy.parameters() if p.grad is not None}


@SETS
def test_gradient_does_not_depend_on_micro_batches_padding_or_order(policy: Policy, samples: list[Sample]) -> None:
    whole = gradient(policy, [samples])
    assert whole.keys() == {name for name, _ in policy.parameters()}
    for split in ([[s] for s in samples], [samples[:2], samples[2:]], [samples[::-1]]):
        parts = gradient(policy, split)
        for name in whole:
            assert torch.allclose(parts[name], whole[name], atol=1e-5 * (1 + float(whole[name].abs().max()))), name


@SETS
def test_hidden_states_are_where_they_should_be(policy: Policy, samples: list[Sample]) -> None:
    batch = pack(samples, DEVICE)
    last_S, hidden_T = policy.final_hidden(batch), policy.forward(batch).hidden_T
    for i, s in enumerate(samples):
        logits = logits_of(policy, s.token_ids)
        assert torch.allclose(policy.head.logits(last_S[i]), logits[-1], atol=1e-5)
        predicting = policy.head.logits(hidden_T[batch.seq_T == i])
        trained = torch.tensor([place for place, is_trained in enumerate(s.mask) if is_trained])
        assert torch.allclose(predicting, logits[trained - 1], atol=1e-5)


def test_a_prompt_of_several_sequences_is_read_once_where_the_architecture_allows(policy: Policy) -> None:
    read: list[int] = []
    hook = policy.decoder.register_forward_pre_hook(
        lambda _, __, given: read.append(given["input_ids"].numel()), with_kwargs=True
    )
    groups, apart = policy.forward(pack(GROUPS, DEVICE)), policy.forward(pack(SAMPLES, DEVICE))
    hook.remove()
    whole = [len(GROUPS) * 63, len(SAMPLES) * 21]  # every row up to the token before its last, as long as the longest
    shared = [4 * 12, len(GROUPS) * 62, len(SAMPLES) * 21]
    keeps_everything = policy.module.config.model_type not in {"mistral", "gemma2", "gpt_neo", "bloom"}
    assert read == (shared if keeps_everything else whole)
    assert apart.tokens == sum(len(s.token_ids) - 1 for s in SAMPLES)
    prompts, rests = (12 + 3 + 1 + 4), (9 + 0 + 3) + (0 + 3 + 4) + 62 + 3
    assert groups.tokens == prompts + rests + (0 if keeps_everything else 2 * 12 + 2 * 3)


def test_a_saved_folder_is_a_plain_one(policy: Policy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    assert not list(tmp_path.glob("*.bin")) and list(tmp_path.glob("*.safetensors"))
    module, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    ids = torch.tensor([[1, 2, 3, 100, 200]])
    with torch.no_grad():
        assert torch.equal(module(ids).logits, policy.module(ids).logits)
    text = "3+7=<think>é\n  a .</think>1<eos>"
    assert tokenizer.encode(text) == policy.tokenizer.encode(text)
    assert tokenizer.chat_template == policy.tokenizer.chat_template
    assert module.generation_config.eos_token_id == 257 and module.generation_config.max_new_tokens is None


def test_greedy_is_what_transformers_generates(policy: Policy) -> None:
    prompts = [(5, 9, 200), (7, 7, 7), (100, 3, 250)]
    requests = [request(p, tag=str(i), temperature=0.0, max_tokens=16, stop_ids=()) for i, p in enumerate(prompts)]
    for completion in Torch().open(policy).generate(requests):
        ids = torch.tensor([prompts[int(completion.tag)]])
        module: Any = policy.module
        expected = module.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=16,
            eos_token_id=-1,
            pad_token_id=0,
        )
        assert completion.token_ids == tuple(expected[0, ids.shape[1] :].tolist())


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
def test_the_engines_logprobs_are_the_trainers(policy: Policy, temperature: float) -> None:
    prompts = [(5, 9, 200), (7,), tuple(range(20, 32)), (8, 8, 4)]
    requests = [
        request(p, tag=str(i), n=3, temperature=temperature, max_tokens=5 * i + 2) for i, p in enumerate(prompts)
    ]
    completions = list(Torch().open(policy).generate(requests))
    out = policy.forward(batch_of(requests, completions), temperature=temperature or 1.0)
    recorded = torch.tensor([x for c in completions for x in c.logprobs or ()])
    assert torch.allclose(out.logp_T, recorded, atol=1e-4)


@pytest.mark.parametrize("name", names("model"))
def test_every_model_opens_what_it_saved(name: str, tmp_path: Path) -> None:
    policy_of("qwen2").save(tmp_path / "start")
    model = build("model", {"name": name, **({"path": str(tmp_path / "start")} if name == "hf" else {})})
    policy = model.open(CPU, seed=1)
    with torch.no_grad():
        next(policy.parameters())[1].add_(0.5)
    policy.save(tmp_path / "stage")
    again = model.open(CPU, folder=tmp_path / "stage", seed=2)
    for (one, p), (other, q) in zip(policy.parameters(), again.parameters(), strict=True):
        assert one == other and torch.equal(p, q)
    assert again.tokenizer.get_vocab() == policy.tokenizer.get_vocab()
    assert again.context_length == policy.context_length and not again.module.training

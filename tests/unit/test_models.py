"""The models `tiny` and `hf`: tokenizer, templates, markers, seeds, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from earnest.component import BuildContext, KeyedConfigError, build
from earnest.data.batch import pack
from earnest.errors import ConfigError
from earnest.models._prefix import plan_reading
from earnest.models.base import Policy
from earnest.models.heads import ValueHead
from earnest.models.hf import HF
from earnest.models.tiny import Tiny
from policies import CPU, policy_of, sample

TEXTS = ["3+7-2+9+4=", "  two  spaces .\n\ttab ", "é 你好 🙂 \x00\x7f", "<think>a</think>b"]


def weights(policy: Policy) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for _, p in policy.parameters()])


@pytest.mark.parametrize("text", TEXTS)
def test_bytes_survive_the_tokenizer(tiny_policy: Policy, text: str) -> None:
    tokenizer = tiny_policy.tokenizer
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == tokenizer.decode(ids, skip_special_tokens=True) == text


def test_ids_are_bytes_and_marks(tiny_policy: Policy) -> None:
    tokenizer = tiny_policy.tokenizer
    assert [tokenizer.decode([b]) for b in range(128)] == [chr(b) for b in range(128)]
    assert tokenizer.encode("é") == list("é".encode())
    assert tokenizer.encode("<pad><eos><think></think>") == [256, 257, 258, 259]
    assert tokenizer.decode([256, 258, 65, 259, 257], skip_special_tokens=True) == "<think>A</think>"
    assert len(tokenizer) == tiny_policy.module.config.vocab_size == 260
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (256, 257)


def test_the_chat_template(tiny_policy: Policy) -> None:
    tokenizer = tiny_policy.tokenizer
    chat = [
        {"role": "system", "content": " Add. "},
        {"role": "user", "content": "3+7-2+9+4="},
        {"role": "assistant", "reasoning_content": "3+7=0;", "content": "1"},
    ]
    prompt = tokenizer.apply_chat_template(chat[1:2], add_generation_prompt=True, tokenize=False)
    assert prompt == "3+7-2+9+4=<think>"
    whole = tokenizer.apply_chat_template(chat, tokenize=False)
    assert whole == " Add. \n3+7-2+9+4=<think>3+7=0;</think>1<eos>"
    bare = tokenizer.apply_chat_template([{"role": "assistant", "content": "1"}], tokenize=False)
    assert bare == "<think></think>1<eos>"
    out: Any = tokenizer.apply_chat_template(chat, return_assistant_tokens_mask=True, return_dict=True)
    trained = [i for i, m in zip(out["input_ids"], out["assistant_masks"], strict=True) if m]
    assert tokenizer.decode(trained) == "<think>3+7=0;</think>1<eos>"


def test_the_seed_makes_the_weights_and_nothing_else_does() -> None:
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    first = weights(Tiny().open(CPU, seed=0))
    assert torch.equal(before, torch.random.get_rng_state())
    torch.rand(5)
    assert torch.equal(first, weights(Tiny().open(CPU, seed=0)))
    assert not torch.equal(first, weights(Tiny().open(CPU, seed=1)))


def test_the_default_size_and_the_fields() -> None:
    policy = Tiny().open(CPU)
    assert len(weights(policy)) == 148_032 and policy.context_length == 256
    wide = Tiny(width=32, layers=3, heads=2, mlp=2, context=40).open(CPU)
    assert wide.context_length == 40 and wide.module.config.intermediate_size == 64
    with pytest.raises(KeyedConfigError, match="width 60 is not a multiple"):
        build("model", {"name": "tiny", "width": 60})


def test_the_value_head_starts_at_zero_and_learns() -> None:
    head = ValueHead(8)
    hidden = torch.randn(3, 5, 8, dtype=torch.bfloat16, requires_grad=True)
    value = head(hidden)
    assert value.shape == (3, 5) and value.dtype == torch.float32 and not value.any()
    value.sum().backward()
    assert torch.allclose(head.linear.weight.grad, hidden.detach().float().sum((0, 1))[None], atol=1e-2)  # type: ignore[arg-type]


def test_a_batch_may_not_train_the_first_token(tiny_policy: Policy) -> None:
    batch = pack([sample((5, 6), (7,)), sample((5,), (7, 8))], torch.device("cpu"))
    batch.index_T[1] = 3  # the first token of the second sequence
    with pytest.raises(AssertionError, match="nothing predicts"):
        tiny_policy.forward(batch)


def test_dropout_is_off_and_gradients_flow() -> None:
    policy = policy_of("gpt2", resid_pdrop=0.5, embd_pdrop=0.5, attn_pdrop=0.5)
    batch = pack([sample((5, 6), (7, 8))], torch.device("cpu"))
    first, second = policy.forward(batch).logp_T, policy.forward(batch).logp_T
    assert torch.equal(first, second) and first.requires_grad
    policy.module.train()
    with pytest.raises(AssertionError):
        policy.forward(batch)


def test_an_architecture_with_another_head_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import GraniteForCausalLM

    policy = policy_of("granite")
    policy.module.config.logits_scaling = 3.0
    original = GraniteForCausalLM.forward

    def shifted(self: Any, *args: Any, **kwargs: Any) -> Any:
        out: Any = original(self, *args, **kwargs)
        out.logits = out.logits * 1.01
        return out

    monkeypatch.setattr(GraniteForCausalLM, "forward", shifted)
    with pytest.raises(ConfigError, match="GraniteForCausalLM is not supported"):
        Policy(policy.module, policy.tokenizer)


def test_weights_that_are_not_numbers_are_refused() -> None:
    policy = policy_of("llama")
    next(policy.parameters())[1].data.fill_(float("nan"))
    with pytest.raises(ConfigError, match="not numbers"):
        Policy(policy.module, policy.tokenizer)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama whose tokenizer knows no thought marks."""
    folder = tmp_path_factory.mktemp("saved")
    policy = policy_of("llama", tie_word_embeddings=False)
    text = policy.tokenizer.backend_tokenizer.to_str()  # type: ignore[attr-defined]
    plain = json.loads(text)
    plain["added_tokens"] = [t for t in plain["added_tokens"] if "think" not in t["content"]]
    policy.save(folder)
    (folder / "tokenizer.json").write_text(json.dumps(plain), encoding="utf-8")
    return folder


def test_markers_are_text_unless_they_are_added(saved: Path) -> None:
    plain = HF(path=str(saved)).open(CPU)
    assert len(plain.tokenizer.encode("<think>")) == 7
    marked = HF(path=str(saved), add_markers=True).open(CPU)
    opening, closing = (marked.tokenizer.encode(mark) for mark in ("<think>", "</think>"))
    assert len(opening) == len(closing) == 1 and opening != closing
    assert marked.tokenizer.decode([*opening, 65, *closing], skip_special_tokens=True) == "<think>A</think>"
    for new, old in (
        (marked.module.get_input_embeddings(), plain.module.get_input_embeddings()),
        (marked.module.get_output_embeddings(), plain.module.get_output_embeddings()),
    ):
        assert torch.allclose(new.weight[opening[0]], old.weight[: opening[0]].mean(0), atol=1e-6)  # type: ignore[union-attr]
        assert torch.equal(new.weight[: opening[0]], old.weight[: opening[0]])  # type: ignore[union-attr]


def test_adding_markers_grows_a_vocabulary_that_is_full(saved: Path, tmp_path: Path) -> None:
    policy = policy_of("gpt2", vocab_size=258)
    policy.tokenizer = HF(path=str(saved)).open(CPU).tokenizer
    assert len(policy.tokenizer) == 258
    policy.save(tmp_path / "small")
    model = HF(path=str(tmp_path / "small"), add_markers=True)
    grown = model.open(CPU)
    assert grown.module.config.vocab_size == 260 == grown.head.weight.shape[0]
    grown.save(tmp_path / "stage")
    again = model.open(CPU, folder=tmp_path / "stage")
    assert torch.equal(weights(again), weights(grown)) and again.tokenizer.encode("<think>") == [258]


def edit(folder: Path, file: str, **changes: object) -> None:
    content = json.loads((folder / file).read_text(encoding="utf-8"))
    content = {k: v for k, v in (content | changes).items() if v is not None}
    (folder / file).write_text(json.dumps(content), encoding="utf-8")


def test_several_end_tokens_and_pad_equal_to_eos_survive(tmp_path: Path) -> None:
    policy_of("llama").save(tmp_path / "a")
    edit(tmp_path / "a", "generation_config.json", eos_token_id=[257, 10], max_new_tokens=5, top_k=3)
    edit(tmp_path / "a", "tokenizer_config.json", pad_token=None)
    policy = HF(path=str(tmp_path / "a")).open(CPU)
    assert policy.tokenizer.pad_token_id == policy.tokenizer.eos_token_id == 257
    policy.save(tmp_path / "b")
    kept = json.loads((tmp_path / "b/generation_config.json").read_text(encoding="utf-8"))
    del kept["transformers_version"]
    assert kept == {"do_sample": True, "temperature": 1.0, "eos_token_id": [257, 10], "pad_token_id": 257}


def test_what_cannot_be_opened_is_refused_with_a_remedy(tmp_path: Path) -> None:
    policy_of("llama").save(tmp_path / "endless")
    edit(tmp_path / "endless", "tokenizer_config.json", eos_token=None)
    with pytest.raises(ConfigError, match=r"no end token[\s\S]*eos_token"):
        HF(path=str(tmp_path / "endless")).open(CPU)
    policy_of("llama").save(tmp_path / "small")
    edit(tmp_path / "small", "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(ConfigError, match="quantized"):
        HF(path=str(tmp_path / "small")).open(CPU)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no config\.json"):
        HF(path=str(tmp_path / "empty")).open(CPU)
    with pytest.raises(ConfigError, match=r"no model in[\s\S]*nowhere"):
        HF(path=str(tmp_path / "nowhere")).open(CPU)


def test_a_path_is_relative_to_the_recipe_and_a_hub_id_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "org/model").mkdir(parents=True)
    monkeypatch.setenv("WHERE", str(tmp_path))
    context = BuildContext(base_dir=tmp_path, path=("model",))
    for written in ("org/model", "./org/model", "$WHERE/org/model"):
        assert build("model", {"name": "hf", "path": written}, context).path == str(tmp_path / "org/model")
    assert build("model", {"name": "hf", "path": "Qwen/Qwen2.5-0.5B"}, context).path == "Qwen/Qwen2.5-0.5B"
    assert build("model", {"name": "hf", "path": "./gone"}, context).path == str(tmp_path / "gone")
    with pytest.raises(KeyedConfigError, match=r"model\.path") as caught:
        build("model", {"name": "hf", "path": "$NOT_SET_ANYWHERE/x"}, context)
    assert "is not set" in str(caught.value)


def test_the_files_of_a_folder_enter_the_cache_key(saved: Path) -> None:
    names = {file.name for file in HF(path=str(saved)).files()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= names
    assert HF(path="Qwen/Qwen2.5-0.5B").files() == () == Tiny().files()


def test_prompts_are_read_apart_only_where_that_is_seen_to_be_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert policy_of("llama").shares_prompts
    assert policy_of("llama", vocab_size=4, pad_token_id=None, eos_token_id=None).shares_prompts
    monkeypatch.setattr(Policy, "_columns", lambda *_: {})  # the gap after a shorter prompt is then read, too
    assert not policy_of("llama").shares_prompts


def test_a_second_pass_is_worth_an_eighth_of_the_tokens() -> None:
    def is_apart(completion: int) -> bool:
        twice = [sample((1, 2, 3, 4), range(5, 5 + completion)) for _ in range(2)]
        return plan_reading(pack(twice, torch.device("cpu")), whole=False, share=True).prompts is not None

    assert is_apart(13) and not is_apart(14)  # 4 of 2 * 16 and of 2 * 17

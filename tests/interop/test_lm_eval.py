"""The same rows through earnest and through lm-eval 0.4.13 give the same numbers: log-likelihoods, accuracies, bits per byte.

lm-eval runs with its own task definitions in a process of its own, offline (benchmarks/drift.py). The small model's tokenizer
has merges that reach over spaces, so that where a choice begins is a question, and a context that many rows do not fit.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from earnest.models.base import Policy
from earnest.models.hf import HF
from earnest.seeding import rng
from policies import CPU, module_of

ROOT = Path(__file__).parents[2]
SMOLLM2 = ROOT / "models" / "smollm2-135m-instruct"
WORDS = (
    *("the", "a", "man", "who", "was", "naïve", "rode", "his", "café", "bike"),
    *("home", "and", "it", "fell", "7", "times", "日本", "He"),
)
CONTEXT = 64

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def drift() -> Any:
    assert importlib.util.find_spec("lm_eval") is not None, 'pip install -e ".[interop]" -c constraints.txt'
    spec = importlib.util.spec_from_file_location("drift_benchmark", ROOT / "benchmarks" / "drift.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def words(*key: str | int, least: int = 1, most: int = 12) -> str:
    draw = rng("lm-eval words", *key)
    return " ".join(draw.choices(WORDS, k=draw.randint(least, most)))


def rows(count: int) -> dict[str, list[dict[str, Any]]]:
    """Rows in the public forms, with what makes them awkward: markup, spaces at the ends, one-word and many-word choices."""
    draw = rng("lm-eval rows")

    def choices(i: int) -> list[str]:
        return [f"{WORDS[(i + c) % len(WORDS)]} {words('choice', i, c)}{' ' * (i % 3 == 0)}" for c in range(4)]

    hellaswag = [
        {
            "activity_label": words("label", i, most=2),
            "ctx_a": f"[header] {words('a', i)} [title] {words('b', i, most=40)}.",
            "ctx_b": "" if i % 3 == 0 else f"{words('c', i, most=3)} HE",
            "endings": [f"{ending} [step]  now" for ending in choices(i)], "label": str(draw.randrange(4)),
        }
        for i in range(count)
    ]  # fmt: skip
    arc = [
        {
            "question": f"{words('q', i)}?{' ' * (i % 4)}", "answerKey": "1234"[draw.randrange(4)],
            "choices": {"text": choices(i), "label": list("1234")},
        }
        for i in range(count)
    ]  # fmt: skip
    mmlu = [
        {
            "subject": ("us_foreign_policy", "anatomy")[i % 2], "question": f" {words('m', i, most=30)}\n",
            "choices": choices(i), "answer": draw.randrange(4),
        }
        for i in range(count)
    ]  # fmt: skip
    text = [{"text": words("text", i, least=2, most=10 if i % 2 else 200)} for i in range(count)]
    return {"hellaswag": hellaswag, "arc": arc, "mmlu": mmlu, "text": text}


def save_model(folder: Path, *, bos: bool) -> None:
    """A random Llama and a byte-level tokenizer trained on the rows' words, which merges over spaces."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<s>", "</s>"],
        show_progress=False, max_token_length=12,
    )  # fmt: skip
    core.train_from_iterator([words("train", i, least=5, most=30) for i in range(300)], trainer)
    if bos:
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    names = {"bos_token": "<s>"} if bos else {}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>", pad_token="</s>", **names)
    ids: dict[str, Any] = {"bos_token_id": 0 if bos else None, "eos_token_id": 1, "pad_token_id": 1}
    module = module_of("llama", vocab_size=len(tokenizer), max_position_embeddings=CONTEXT, **ids)
    Policy(module, tokenizer).save(folder)


@pytest.mark.parametrize("bos", [False, True])
def test_a_small_model_with_an_awkward_tokenizer(drift: Any, tmp_path: Path, bos: bool) -> None:
    save_model(tmp_path / "model", bos=bos)
    policy = HF(path=str(tmp_path / "model")).open(CPU)
    over_space = [token for token in policy.tokenizer.get_vocab() if "Ġ" in token[1:-1]]
    assert len(over_space) > 50, "the tokenizer should merge over spaces"
    made = rows(40)
    found = drift.compare(policy, str(tmp_path / "model"), tmp_path, {k: made[k] for k in ("hellaswag", "arc", "mmlu")})
    (tmp_path / "text").mkdir()
    found += drift.compare(
        policy, str(tmp_path / "model"), tmp_path / "text", {"text": made["text"]}, add_bos=False if bos else None
    )
    check(found, items=40)
    assert 0.05 < found[0].ours < 0.6, "neither nothing nor everything is right"


def test_smollm2_on_public_rows(drift: Any, tmp_path: Path) -> None:
    if not (SMOLLM2 / "source.json").is_file():
        pytest.skip("models/smollm2-135m-instruct is not there: make demo-real")
    if "EARNEST_DATA" not in os.environ:
        pytest.skip("EARNEST_DATA is not set")
    policy = HF(path=str(SMOLLM2)).open(CPU)
    drawn = drift.draw(Path(os.environ["EARNEST_DATA"]), 12)
    check(drift.compare(policy, str(SMOLLM2), tmp_path, drawn | {"text": drawn["text"][:6]}), items=12)


def check(found: list[Any], items: int) -> None:
    """Answers agree exactly, unless two choices are nearer to each other than rounding reaches."""
    assert [row.name for row in found] == ["hellaswag", "arc", "mmlu", "text"]
    for row in found:
        assert row.largest_relative < 1e-4, row
        if row.smallest_margin is None:
            assert abs(row.ours - row.lm_eval) < 1e-5, row
            continue
        assert row.n == items
        assert row.smallest_margin > 2 * row.largest_difference, f"{row}: a tie; other rows or another seed"
        assert row.other_acc == row.other_acc_norm == 0 and row.ours == row.lm_eval, row

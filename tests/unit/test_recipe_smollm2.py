"""The recipe for a real pretrained model, run whole on a stand-in: nothing on the road is special to the embedded model.

The stand-in is a random Llama with a byte-level ChatML tokenizer to which `<think>` is ordinary text, saved as a Hugging Face
folder; the word problems are made here, in the files' own formats.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chat_tokenizers import CHATML, make_tokenizer
from earnest import api
from earnest.models.base import Policy
from earnest.prompts.chat import Chat
from earnest.recipe import load
from earnest.seeding import rng
from earnest.types import Problem, Solution
from policies import module_of

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "smollm2.yaml"
CONTEXT = 512
WORDS = (
    "ann",
    "ben",
    "cid",
    "dot",
    "eve",
    "fay",
    "gus",
    "hal",
    "apple",
    "brick",
    "coin",
    "drum",
    "egg",
    "fork",
    "glove",
)


def _some_words(*key: str | int) -> str:
    """Eight words, so that no two problems are near twins."""
    return " ".join(rng("words", *key).choices(WORDS, k=8))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """150 one-step problems, 100 written out of which half are too long for the stand-in, and a text."""
    folder = tmp_path / "data"
    for name in ("mawps_family", "gsm8k", "drift_text", "arc", "derived"):
        (folder / name).mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    for i in range(150):
        question = f"{_some_words('mawps', i)} has {i + 2} hats, then finds 3. How many?"
        rows.append({"sQuestion": question, "lEquations": [f"X={i + 2}+3"], "lSolutions": [float(i + 5)]})
    (folder / "mawps_family" / "SingleEq.json").write_text(json.dumps(rows[:100]))
    (folder / "mawps_family" / "AddSub.json").write_text(json.dumps(rows[100:]))
    for name, count in (("train", 100), ("test", 10)):
        lines = [
            {
                "question": f"{_some_words(name, i)}?",
                "answer": "3*2=<<3*2=6>>6" + " yes" * (CONTEXT * (i % 2)) + "\n#### 6",
            }
            for i in range(count)
        ]
        (folder / "gsm8k" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    (folder / "drift_text" / "wiki_demo.txt").write_text("A river runs to the sea.\nTwo rivers meet below the hill.\n")
    letters = ["red", "green", "blue", "grey"]
    questions: dict[str, list[dict[str, Any]]] = {
        "arc/arc_easy": [{"query": f"Question: {_some_words('arc', i)}?", "choices": letters, "gold": i % 4} for i in range(5)],
        "derived/hellaswag_val_1000": [{"ctx": _some_words("h", i), "endings": letters, "label": i % 4} for i in range(5)],
        "derived/mmlu_test_1140": [
            {"subject": "maths", "question": _some_words("m", i), "choices": letters, "answer": "ABCD"[i % 4]} for i in range(5)
        ],
    }  # fmt: skip
    for name, asked in questions.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    monkeypatch.setenv("EARNEST_DATA", str(folder))
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tokenizer = make_tokenizer(CHATML, eos="<|im_end|>")
    tokenizer.pad_token = tokenizer.eos_token
    ids: dict[str, Any] = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.eos_token_id}
    Policy(
        module_of("llama", vocab_size=len(tokenizer), max_position_embeddings=CONTEXT, **ids), tokenizer
    ).save(tmp_path / "model")  # fmt: skip
    return tmp_path / "model"


def test_the_recipe_opens_the_folder_that_the_makefile_fills(data: Path) -> None:
    found = re.search(r"^SMOLLM2 := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found is not None
    path = load(RECIPE).recipe.model.model_dump()["path"]
    assert Path(path) == ROOT / found[1]


def test_what_the_recipe_teaches_is_well_formed_and_right(data: Path) -> None:
    recipe = load(RECIPE).recipe
    prompt, tokenizer = recipe.prompt, make_tokenizer(CHATML)
    assert isinstance(prompt, Chat)
    problem = Problem(id="0", task="mawps", prompt="Ann has 2 hats and finds 3. How many?", answer="5")
    rendered = prompt.render(problem, tokenizer)
    ids = prompt.complete(Solution("2 + 3 = 5", "5"), rendered, tokenizer)
    assert ids[-1] in prompt.stop_ids(tokenizer)
    text = str(tokenizer.decode(list(ids[:-1]), clean_up_tokenization_spaces=False))
    assert text == "<think>\n2 + 3 = 5\n</think>\nAnswer: 5"
    assert prompt.parse(text, opened=rendered.opened).well_formed
    assert api.verify("number", [(text, "5")])[0].correct is True


def test_the_whole_road_runs_on_any_model_folder(data: Path, model: Path, tmp_path: Path) -> None:
    sets = [f"model.path={model}", "threads=1", "sft.steps=2", "sft_gsm8k.steps=2", "rl.steps=1", "rl.max_tokens=4"]
    sets += ["rl.gate_problems=4", "eval.problems=4", "eval.max_tokens=4"]
    run = tmp_path / "run"
    result = api.run(RECIPE, sets=sets, run_dir=run, allow=["support"], echo=lambda _: None)
    assert result.status == "done", result.sentence
    report = api.load_run(run).report
    assert report is not None and set(report["models"]) == {"base", "sft", "rl"} and report["final"] == "rl"
    drift, *choices = [row for row in report["drift"] if row["model"] == "sft"]
    assert drift["metric"] == "bits_per_byte" and drift["n"] == 2 and drift["value"] > 0
    assert drift["value"] != drift["base_value"], "training changed nothing"
    assert [(row["name"], row["metric"]) for row in choices] == [
        ("arc_easy", "acc_norm"), ("hellaswag", "acc_norm"), ("mmlu", "acc")
    ]  # fmt: skip
    assert all(row["n"] == 5 and row["chance"] == 0.25 for row in choices)
    base, sft = (
        [json.loads(line) for line in (run / "eval" / model / "drift_arc_easy.choices.jsonl").read_text().splitlines()]
        for model in ("base", "sft")
    )
    assert [row["id"] for row in base] == list("01234") and base[0]["logps"] != sft[0]["logps"]
    rows = [json.loads(line) for line in (run / "sft_gsm8k" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["data/overlong"] >= 1, "half the examples do not fit the context"
    assert not list(run.glob("*/checkpoints")), "a finished stage keeps its model alone"

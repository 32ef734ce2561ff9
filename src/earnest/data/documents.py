"""Plain text documents from a file: what perplexity is measured on."""

from __future__ import annotations

import json
from pathlib import Path

from earnest.errors import DataError


def read_documents(path: Path) -> list[str]:
    """Non-empty documents: the lines of a .txt file, or the field `text` of every row of a .jsonl file."""
    if not path.is_file():
        raise DataError("no such text file", where=str(path))
    documents: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        if path.suffix != ".jsonl":
            documents.append(line)
            continue
        try:
            text = json.loads(line)["text"]
        except (ValueError, KeyError, TypeError):
            raise DataError("not a JSON object with a field `text`", where=f"{path}:{number}", why=line[:80]) from None
        documents.append(str(text))
    if not documents:
        raise DataError("no documents", where=str(path))
    return documents

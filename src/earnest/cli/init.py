"""`earnest init`: copy a template into a folder. What is copied belongs to the user; a run reads only that."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from itertools import dropwhile
from pathlib import Path
from typing import Literal, TypeAlias

from earnest.cli import say
from earnest.cli.word_problems import write
from earnest.errors import RunDirError

TEMPLATES = Path(__file__).parent / "templates"

Template: TypeAlias = Literal["chain", "jsonl", "verifier", "task"]

CHANGED_LINE: Mapping[Template, tuple[str, str]] = {
    "verifier": ("verifier", "verifier: verifier.py:MyVerifier"),
    "task": ("task", "task: task.py:MyTask"),
}
"""Templates whose recipe is the embedded demo's with one line replaced or added."""


def init(template: Template, folder: Path, /, *, force: bool = False, json: say.AsJson = False) -> None:
    """Make a folder that is yours to change: a recipe, a README, and the code or data that the template is about.

    Parameters
    ----------
    template
        chain: the embedded demo. jsonl: your own data. verifier: your own grader. task: your own problems.
    folder
        Where to write; a new or empty folder.
    force
        Write into a folder that holds files, over those of the same name.
    """
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if folder.exists() and not folder.is_dir():
        raise RunDirError("this is a file, not a folder", where=str(folder), remedy="name another folder")
    if there and not force:
        more = f" and {len(there) - 5} more" if len(there) > 5 else ""
        raise RunDirError(
            "the folder is not empty", where=str(folder), why=f"it holds {', '.join(there[:5])}{more}",
            remedy="name another folder, or add --force to write over files of the same name",
        )  # fmt: skip
    written = _copy(template, folder)
    recipe = folder / "recipe.yaml"
    if json:
        return say.result({"folder": str(folder), "files": [str(path) for path in written], "recipe": str(recipe)})
    say.lines([*(f"wrote  {path}" for path in written), f"next   earnest run {recipe}"])


def _copy(template: Template, folder: Path) -> list[Path]:
    source = TEMPLATES / template
    files = sorted(path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    written = [folder / path.relative_to(source) for path in files]
    for path, target in zip(files, written, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if template in CHANGED_LINE:
        written.append(folder / "recipe.yaml")
        written[-1].write_text(_chain_recipe(template), encoding="utf-8")
    if template == "jsonl":
        written.append(write(folder / "data" / "train.jsonl"))
    return written


def _chain_recipe(template: Template) -> str:
    """The recipe of the embedded demo under another name, without its opening comment, with one line changed."""
    key, line = CHANGED_LINE[template]
    text = (TEMPLATES / "chain" / "recipe.yaml").read_text(encoding="utf-8")
    rows = list(dropwhile(lambda row: not row.startswith("name:"), text.splitlines()))
    task = next(index for index, row in enumerate(rows) if row.startswith("task:"))
    rows[0] = f"name: my-{template}"
    rows[task : task + 1] = [line] if key == "task" else [rows[task], line]
    return "\n".join(rows) + "\n"

"""index.html and report.md against hostile completions: nothing a model writes becomes markup, and nothing is hidden."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from earnest.cli import say
from earnest.errors import GateRefused
from earnest.evaluate import text
from earnest.evaluate.report.write import write_report
from hostile import ATTACKS, hostile_run


class Reader(HTMLParser):
    """Tags, ids and everything that could load or run something; complains about tags that do not nest."""

    void = frozenset({"meta", "img", "br", "hr", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.open: list[str] = []
        self.data: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "action", "data") or name.startswith("on"):
                self.loads.append(f"{name}={value}")
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.void:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.data.append(data)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(hostile_run(tmp_path_factory.mktemp("run"))).parent


def test_page_loads_and_runs_nothing(report: Path):
    page = (report / "index.html").read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert (
        page.count("<script") == reader.tags.count("script") == 1
        and '<script type="application/json" id="report">' in page
    )
    assert not {"img", "link", "iframe", "object", "form", "base"} & set(reader.tags)
    assert {load.split("=", 1)[1][:1] for load in reader.loads} == {"#"}
    assert "url(http" not in page and "@import" not in page and "default-src 'none'" in page
    assert len(reader.ids) == len(set(reader.ids))


@pytest.mark.parametrize("attack", ATTACKS[:3])
def test_markup_is_shown_not_obeyed(report: Path, attack: str):
    page = (report / "index.html").read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    assert attack not in page
    assert attack in "".join(reader.data)


def test_nothing_is_invisible(report: Path):
    for name in ("index.html", "report.md"):
        raw = (report / name).read_bytes().decode("utf-8")  # strict: a lone surrogate would not even encode
        assert not set(raw) & set("\u202e\u202c\x00\x1b\x9b\x07\u200b\ud800\udfff\udcff")
        assert "⟨U+202E⟩" in raw and "⟨U+0000⟩" in raw and "⟨U+001B⟩" in raw and "⟨U+D800⟩" in raw and "⟨U+009B⟩" in raw


def test_long_completions_are_cut_and_say_so(report: Path):
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "998,007 characters left out" in page and "THE END" in page
    longest = max(len(run) for run in re.findall("y+", page.split('<script type="application/json"')[0]))
    assert longest < 3_000
    assert "y" * 3_000 not in (report / "report.md").read_text(encoding="utf-8")


def test_markdown_stays_in_its_fences(report: Path):
    """Outside fences no raw tag, link or cell of a model's making; inside, the fence is longer than any in the text."""
    outside, fence = [], ""
    for line in (report / "report.md").read_text(encoding="utf-8").splitlines():
        mark = re.match(r"(`{3,})", line)
        if not fence and mark:
            fence = mark[1]
        elif fence and line.strip() == fence:
            fence = ""
        elif not fence:
            outside.append(line)
    assert fence == ""
    text_outside = "\n".join(outside)
    assert not re.search(r"<(?!/?details>|/?summary>)", text_outside)
    assert not re.search(r"(?<!\\)\[click(?<!\\)\]", text_outside) and "# heading" not in outside


def test_report_json_is_plain_and_whole(report: Path):
    """Nothing that a terminal or an editor would obey, not even in the file; and no character lost."""
    raw = (report / "report.json").read_bytes().decode("utf-8")
    assert all(c.isprintable() or c == "\n" for c in raw)
    reasons = [row["reason"] for row in json.loads(raw)["reward_audit"]["arm"]["reasons"]]
    assert sorted(reasons) == sorted(attack[:200] for attack in ATTACKS)


def test_the_terminal_is_told_and_not_commanded(report: Path, capsys: pytest.CaptureFixture[str]):
    for attack in ATTACKS:
        say.lines([attack])
        say.progress(as_json=False)(attack)
        say.failure(GateRefused(attack, where=attack, why=attack, remedy=attack), as_json=False)
        say.failure(GateRefused(attack, where=attack), as_json=True)
    shown = capsys.readouterr()
    for character in set(shown.out + shown.err) - {"\n", "\t", "\u3000"}:
        assert character.isprintable(), hex(ord(character))
    assert "⟨U+001B⟩[2J" in shown.out and "⟨U+202E⟩" in shown.err


def test_jinja_in_a_completion_is_text(report: Path):
    assert "{{ 7*7 }}" in (report / "index.html").read_text(encoding="utf-8")


def test_figures_are_files_too_with_plain_colours_and_no_date(report: Path):
    files = sorted((report / "figures").glob("*.svg"))
    assert {f.stem for f in files} >= {"rates", "differences", "rl-pass_rate", "rl-mixed"}
    for file in files:
        svg = file.read_text(encoding="utf-8")
        ET.fromstring(svg)
        assert "var(--" not in svg and "<dc:date>" not in svg
    page = (report / "index.html").read_text(encoding="utf-8")
    assert page.count("<svg") == page.count("Data of this figure") == len(files)


def test_twin_says_the_same(report: Path):
    page = (report / "index.html").read_text(encoding="utf-8")
    twin = (report / "report.md").read_text(encoding="utf-8")
    titles = [html.unescape(title) for title in re.findall(r"<h2>(.*?)</h2>", page.split("</nav>")[1])]
    twins = [re.sub(r"\\(.)", r"\1", html.unescape(t)) for t in re.findall(r"^## (.*)$", twin, flags=re.MULTILINE)]
    assert titles == twins and len(titles) >= 15
    assert "What this does not show" in titles


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\r\x7f", "⟨U+000D⟩⟨U+007F⟩"),
        ("\u2028", "⟨U+2028⟩"), ("\ufeffé中😀", "⟨U+FEFF⟩é中😀"), ("\ue000", "⟨U+E000⟩"),
    ],
)  # fmt: skip
def test_visible(given: str, shown: str):
    assert text.visible(given) == shown


def test_numbers_as_people_read_them():
    assert text.points(0.5732) == "57.3" and text.signed_points(-0.0004) == "+0.0"
    assert text.difference(0.27, (0.22, 0.32)) == "+27.0 [+22.0, +32.0]"
    assert text.interval((-0.051, 0.02), signed=True) == "[−5.1, +2.0]"
    assert text.p_value(1e-6) == "≤ 0.0001" and text.p_value(0.043) == "0.043"
    assert text.number(1234567) == "1,234,567" and text.number(0.031234) == "0.0312"
    assert text.seconds(42.3) == "42 s" and text.seconds(7600) == "2 h 7 min"
    assert text.flops(3.2e12) == "3.2e12" and text.points(None) == "–"

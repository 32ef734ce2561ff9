"""The command line: what a user types, what comes back, and with which exit code. The engine room is replaced by fakes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from earnest import api
from earnest.cli import main as cli
from earnest.errors import ConfigError, GateRefused, Interrupted, MissingDependency

HEAVY = ("torch", "transformers", "scipy", "pydantic", "numpy", "matplotlib")


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


@pytest.fixture
def earnest(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["earnest", *arguments])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        seen = capsys.readouterr()
        assert isinstance(exit_.value.code, int)
        return Ended(exit_.value.code, seen.out, seen.err)

    return call


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch):
    """api.run and api.resume that note how they were called and return, or raise, what a test asks for."""

    class Backend:
        def __init__(self) -> None:
            self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
            self.outcome: Any = api.RunResult(
                Path("runs/x"), "done", "learned", "It learned.", Path("runs/x/r.html"), 0
            )

        def __call__(self, *args: Any, **options: Any) -> Any:
            self.calls.append((args, options))
            options["echo"]("on the way")
            if isinstance(self.outcome, BaseException):
                raise self.outcome
            return self.outcome

    fake = Backend()
    monkeypatch.setattr(api, "run", fake)
    monkeypatch.setattr(api, "resume", fake)
    return fake


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "run --help",
        "eval --help",
        "rollouts --help",
        "compare --help",
        "list --help",
        "verify --help",
        "audit --help",
        "--version",
        "rnu",
    ],
)
def test_help_imports_nothing_heavy(arguments: str):
    code = (
        f"import sys; sys.argv = ['earnest', *{arguments.split()!r}]\n"
        "from earnest.cli.main import main\n"
        "try: main()\n"
        f"finally: print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == (2 if arguments == "rnu" else 0), ended.stderr
    assert ended.stderr.splitlines()[-1] == "[]", ended.stderr


def test_run_passes_everything_on(earnest: Any, backend: Any):
    typed = (
        "run r.yaml --set rl.steps=80 --set a.b=-1 --seed 3 --runs out --run-dir out/one --allow support --allow gold"
    )
    ended = earnest(*typed.split())
    (args, options) = backend.calls[0]
    assert args == (Path("r.yaml"),)
    assert callable(options.pop("echo")) and callable(options.pop("watch"))
    assert options == {
        "sets": ("rl.steps=80", "a.b=-1"), "seed": 3, "runs": Path("out"), "run_dir": Path("out/one"),
        "allow": ("support", "gold"), "command": f"earnest {typed}",
    }  # fmt: skip
    assert ended.code == 0
    assert ended.out.splitlines()[0] == "on the way" and ended.out.splitlines()[-1] == "learned: It learned."


def test_json_is_one_line_and_progress_goes_to_stderr(earnest: Any, backend: Any):
    ended = earnest("run", "r.yaml", "--json")
    assert ended.json == {
        "run_dir": "runs/x", "status": "done", "verdict": "learned", "sentence": "It learned.",
        "report": "runs/x/r.html", "exit_code": 0,
    }  # fmt: skip
    assert ended.err == "on the way\n"


@pytest.mark.parametrize("command", ["run", "resume"])
def test_require(earnest: Any, backend: Any, command: str):
    assert earnest(command, "x", "--require", "learned").code == 0
    backend.outcome = api.RunResult(Path("runs/x"), "done", "not shown", "Not shown.", None, 0)
    assert earnest(command, "x").code == 0
    ended = earnest(command, "x", "--require", "learned")
    assert ended.code == 3 and "the verdict is not shown" in ended.err and "not shown: Not shown." in ended.out
    assert earnest(command, "x", "--require", "learned", "--json").json["exit_code"] == 3
    backend.outcome = api.RunResult(Path("runs/x"), "refused", None, "Refused.", None, 3)
    assert earnest(command, "x").code == 3
    assert earnest(command, "x", "--require", "lerned").code == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("unknown key 'stpes'", where="r.yaml:3", why="w", remedy="did you mean 'steps'?"), 2),
        (GateRefused("refused"), 3),
        (MissingDependency("no peft"), 4),
        (ModuleNotFoundError("No module named 'peft'", name="peft.tuners"), 4),
        (Interrupted("stopped", remedy="earnest resume runs/x"), 130),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_for_users_have_a_code_and_no_traceback(earnest: Any, backend: Any, error: BaseException, code: int):
    backend.outcome = error
    ended = earnest("run", "r.yaml")
    assert ended.code == code and ended.err.startswith("error: ") and "Traceback" not in ended.err
    as_json = earnest("run", "r.yaml", "--json")
    assert as_json.code == code and as_json.json["error"]["exit_code"] == code


def test_error_says_what_where_why_and_what_to_do(earnest: Any, backend: Any):
    backend.outcome = ConfigError("unknown key 'stpes'", where="r.yaml:3", why="w", remedy="did you mean 'steps'?")
    assert earnest("run", "r.yaml").err == (
        "error: unknown key 'stpes'\n  where: r.yaml:3\n  why:   w\n  do:    did you mean 'steps'?\n"
    )
    assert earnest("run", "r.yaml", "--json").json["error"] == {
        "type": "ConfigError", "what": "unknown key 'stpes'", "where": "r.yaml:3", "why": "w",
        "do": "did you mean 'steps'?", "exit_code": 2,
    }  # fmt: skip


@pytest.mark.parametrize("error", [ValueError("bug"), ModuleNotFoundError("x", name="earnest.nothing")])
def test_internal_error_shows_the_traceback(earnest: Any, backend: Any, error: Exception):
    backend.outcome = error
    ended = earnest("run", "r.yaml")
    assert ended.code == 1 and ended.err.startswith("internal error") and "Traceback" in ended.err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ("lst", 'Did you mean "list"?'),
        ("run r.yaml --sed 3", "Did you mean --seed?"),
        ("run r.yaml --seed x", "--seed"),
        ("run", "RECIPE"),
        ("run a.yaml b.yaml", "b.yaml"),
        ("list verifer", "did you mean 'verifier'?"),
        ("init chian there", "chain"),
        ("report no/such/run", "not a run directory"),
    ],
)
def test_usage_errors_exit_2_with_a_hint(earnest: Any, arguments: str, hint: str):
    ended = earnest(*arguments.split())
    assert ended.code == 2 and hint in ended.err and "Traceback" not in ended.err, ended
    as_json = earnest(*arguments.split(), "--json")
    assert as_json.code == 2 and hint in as_json.json["error"]["what"] + as_json.json["error"]["do"]


def test_eval(earnest: Any, monkeypatch: pytest.MonkeyPatch):
    from earnest.evaluate.grid.cells import Cell
    from earnest.evaluate.summary import summarize
    from report_runs import records

    seen: dict[str, Any] = {}

    def evaluate(model: str, **options: Any) -> api.EvalResult:
        seen.update(options, model=model)
        summary = summarize(records([[True, False]] * 4), records([[True]] * 4, greedy=True))
        cell = Cell("chain", "trained", 4, 1, summary, (), {"prompt": {"name": "chat"}})
        return api.EvalResult(model, "test", 2, 9, (cell,))

    monkeypatch.setattr(api, "evaluate", evaluate)
    plain = earnest("eval", "m", "--task", "chain", "--k", "2", "--max-tokens", "9")
    assert plain.code == 0 and "chain  trained     50.0" in plain.out and "look 1 at these 4 problems" in plain.out
    assert (seen["model"], seen["task"], seen["k"], seen["max_tokens"], seen["split"]) == ("m", ["chain"], 2, 9, "test")
    assert (seen["columns"], seen["shots"]) == (["trained"], None)
    earnest(
        "eval", "m", "--task", "chain", "--task", "skills", "--column", "direct", "--column", "few_shot", "--shots", "2"
    )
    assert (seen["task"], seen["columns"], seen["shots"]) == (["chain", "skills"], ["direct", "few_shot"], 2)
    (cell,) = earnest("eval", "m", "--task", "chain", "--json").json["cells"]
    assert cell["rates"]["sampled"]["value"] == 0.5 and cell["verifier_pass"]["greedy"]["n"] == 4


def test_list_shows_fields_with_type_default_and_doc(earnest: Any):
    plugins = earnest("list", "gate", "--json").json["plugins"]
    support = next(p for p in plugins if p["name"] == "support")
    assert support["kind"] == "gate" and support["doc"]
    floor = next(f for f in support["fields"] if f["name"] == "floor")
    assert floor == {"name": "floor", "type": "float", "required": False, "default": 0.05, "doc": floor["doc"]}
    assert floor["doc"].startswith("Refuse if")
    text = earnest("list", "gate").out
    assert "floor: float = 0.05" in text and floor["doc"] in text


def test_list_names_every_plugin_without_a_kind(earnest: Any):
    from earnest.component import shipped

    out = earnest("list").out
    missing = [(kind, name) for kind, name, _ in shipped() if f"\n  {name} " not in out and f"\n  {name}\n" not in out]
    assert missing == []


def test_list_runs(earnest: Any, tmp_path: Path):
    assert earnest("list", "runs", "--runs", str(tmp_path)).out == "no runs here\n"
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "run.json").write_text('{"status": "done", "verdict": "learned"}')
    assert earnest("list", "runs", "--runs", str(tmp_path)).out == f"{tmp_path / 'one'}  learned\n"
    assert earnest("list", "runs", "--runs", str(tmp_path), "--json").json["runs"][0]["status"] == "done"


def test_closed_pipe_is_no_crash():
    code = "import sys; sys.argv = ['earnest', 'list', 'gate']\nfrom earnest.cli.main import main\nmain()"
    process = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.wait() == 1 and process.stderr.read() == b""
    process.stderr.close()


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "earnest", "list", "gate"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "verifier" in done.stdout

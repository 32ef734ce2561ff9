"""A second opinion on report.json: its numbers once more, from the JSONL files of a run alone.

    python recount.py RUN_DIR

prints {"models", "comparisons", "drift", "equal_cost", "difficulty", "curves", "reward_audit", "evaluation_tokens",
"seconds_by_phase"} as report.json has them. It imports nothing of the package: the formulas are written again, from the
papers and docs/report.md, and in another way where there is one.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom, norm, t

Z = float(norm.ppf(0.975))
Row = dict[str, Any]


def rows(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    whole = [line for line in path.read_bytes().split(b"\n")[:-1] if line.strip()]
    return [json.loads(line) for line in whole]


def load(path: Path) -> Row:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


# ---------------------------------------------------------------------------------------------- statistics


def quantile(degrees: float) -> float:
    return float(t.ppf(0.975, degrees))


def wilson(p: float, n: float) -> list[float]:
    """Roots of (p - x)^2 = z^2 x (1 - x) / n."""
    a, b, c = 1 + Z * Z / n, -(2 * p + Z * Z / n), p * p
    root = math.sqrt(max(0.0, b * b - 4 * a * c))
    low, high = (-b - root) / (2 * a), (-b + root) / (2 * a)
    return [0.0 if p == 0 else max(0.0, low), 1.0 if p == 1 else min(1.0, high)]


def rate(shares: list[float], n: int) -> Row:
    problems, p = len(shares), math.fsum(shares) / len(shares)
    if problems < 2:
        return {"value": p, "n": n, "distinct": problems, "ci95": None}
    variance = math.fsum((x - p) ** 2 for x in shares) / (problems - 1) / problems
    size = p * (1 - p) / variance * (Z / quantile(problems - 1)) ** 2 if variance > 1e-15 else 0.0
    size = min(max(size, problems), max(n, problems))
    return {"value": p, "n": n, "distinct": problems, "ci95": wilson(p, size)}


def mean(groups: list[list[float]]) -> Row:
    means = [math.fsum(g) / len(g) for g in groups]
    problems, m = len(means), math.fsum(means) / len(means)
    found: Row = {"value": m, "n": sum(map(len, groups)), "distinct": problems, "ci95": None}
    if problems > 1:
        deviation = math.sqrt(math.fsum((x - m) ** 2 for x in means) / (problems - 1))
        half = quantile(problems - 1) * deviation / math.sqrt(problems)
        found["ci95"] = [m - half, m + half]
    return found


def paired(d: list[float]) -> Row:
    """Bonett and Price 2012 with a t quantile; sign-flip test."""
    problems = len(d)
    if problems < 2:
        return {"diff": d[0], "ci95": None, "p_value": None, "n": problems, "se": None}
    padded = [*d, 1.0, -1.0]
    m = math.fsum(padded) / len(padded)
    spread = math.sqrt(math.fsum(x * x for x in padded) / len(padded) - m * m)
    half = quantile(problems - 1) * spread / math.sqrt(len(padded))
    plain = math.fsum(d) / problems
    se = math.sqrt(math.fsum((x - plain) ** 2 for x in d) / problems) / math.sqrt(problems)
    ci95 = [max(-1.0, m - half), min(1.0, m + half)]
    return {"diff": plain, "ci95": ci95, "p_value": flips(d), "n": problems, "se": se}


def flips(d: list[float]) -> float:
    moved = [x for x in d if abs(x) > 1e-12]
    if not moved:
        return 1.0
    sizes = [abs(x) for x in moved]
    if max(sizes) - min(sizes) < 1e-12:
        ups = sum(x > 0 for x in moved)
        return min(1.0, 2 * float(binom.cdf(min(ups, len(moved) - ups), len(moved), 0.5)))
    target = abs(sum(moved)) - 1e-9
    if len(moved) <= 13:
        signs = itertools.product((-1, 1), repeat=len(moved))
        extreme = sum(abs(sum(s * x for s, x in zip(row, moved, strict=True))) >= target for row in signs)
        return extreme / 2 ** len(moved)
    drawn = np.random.default_rng(0).integers(0, 2, size=(9_999, len(moved)), dtype=np.int8)
    return float((np.abs(((2.0 * drawn - 1) * np.array(moved)).sum(1)) >= target).sum() + 1) / 10_000


def any_of(n: int, c: int, k: int) -> float:
    """1 - C(n-c, k) / C(n, k), as a product."""
    return 1 - math.prod((n - c - i) / (n - i) for i in range(k))


# ---------------------------------------------------------------------------------------------- one model


def groups(records: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for record in records:
        found.setdefault(record["problem"]["id"], []).append(record)
    return found


def marks(records: list[Row]) -> dict[str, list[int]]:
    graded = [r for r in records if r["verdict"]["correct"] is not None]
    return {p: [int(r["verdict"]["correct"]) for r in g] for p, g in groups(graded).items()}


def pass_rate(records: list[Row]) -> Row | None:
    found = marks(records)
    return rate([sum(m) / len(m) for m in found.values()], sum(map(len, found.values()))) if found else None


def summary(sampled: list[Row], greedy: list[Row], k: int) -> Row:
    shown = list(groups(sampled or greedy).values())
    enough = {p: m for p, m in marks(sampled).items() if len(m) >= k}
    at_k = None
    if k > 1 and enough:
        shares = [any_of(len(m), sum(m), k) for m in enough.values()]
        at_k = {"k": k, **rate(shares, sum(map(len, enough.values())))}

    def share(test: Any) -> Row:
        return rate([sum(map(test, g)) / len(g) for g in shown], sum(map(len, shown)))

    return {
        "verifier_pass": {"sampled": pass_rate(sampled), "greedy": pass_rate(greedy), "pass_at_k": at_k},
        "trace_format": share(lambda r: r["well_formed"]),
        "tokens_mean": mean([[r["tokens"] for r in g] for g in shown]),
        "thought_tokens_mean": mean([[r["thought_tokens"] for r in g] for g in shown]),
        "truncated": share(lambda r: r["finish"] != "stop"),
        "statuses": {m: statuses(r) for m, r in (("sampled", sampled), ("greedy", greedy)) if r},
        **by_task(sampled, greedy),
    }


def by_task(sampled: list[Row], greedy: list[Row]) -> Row:
    tasks = dict.fromkeys(r["problem"]["task"] for r in [*sampled, *greedy])
    found: Row = {}
    for task in tasks if len(tasks) > 1 else ():
        own, beside = ([r for r in records if r["problem"]["task"] == task] for records in (sampled, greedy))
        shown = list(groups(own or beside).values())
        formed = rate([sum(r["well_formed"] for r in g) / len(g) for g in shown], sum(map(len, shown)))
        rates = {"sampled": pass_rate(own), "greedy": pass_rate(beside)}
        found[task] = {"verifier_pass": rates, "trace_format": formed}
    return {"by_task": found} if found else {}


def statuses(records: list[Row]) -> Row:
    ended = Counter(r["verdict"]["status"] for r in records)
    right = sum(r["verdict"]["correct"] is True for r in records)
    return {"correct": right, **{s: ended[s] for s in ("ok", "no_answer", "truncated", "limit", "error")}}


# ---------------------------------------------------------------------------------------------- two models


def compare(a: list[Row], b: list[Row]) -> Row | None:
    x, y = marks(a), marks(b)
    both = [p for p in x if p in y]
    if not both:
        return None
    before, after = ([sum(m[p]) / len(m[p]) for p in both] for m in (x, y))
    d = [v - u for u, v in zip(before, after, strict=True)]
    up, down = sum(v > 0 for v in d), sum(v < 0 for v in d)
    found = paired(d)
    found.pop("se")
    return {
        "a_value": math.fsum(before) / len(both), "b_value": math.fsum(after) / len(both), **found,
        "flips": {"gained": up, "lost": down, "same": len(d) - up - down},
        "errors": sum(r["verdict"]["status"] == "error" for r in a + b),
        "unmatched": len(x) + len(y) - 2 * len(both),
    }  # fmt: skip


def bucket_row(a: list[Row], b: list[Row]) -> Row | None:
    found = compare(a, b)
    if found is None:
        return None
    moved = found.pop("flips")
    return {k: v for k, v in found.items() if k not in ("errors", "unmatched")} | moved


def difficulty(a: str, before: Row, b: str, after: Row) -> Row | None:
    k = max(map(len, groups(before["sampled"]).values()), default=0)
    half = k // 2
    sorting = [r for r in before["sampled"] if r["index"] < half] if half else before["greedy"]
    share = {p: sum(m) / len(m) for p, m in marks(sorting).items()}
    rest = {m: [r for r in rec["sampled"] if r["index"] >= half] for m, rec in ((a, before), (b, after))}
    if not share or not all(rest.values()):
        return None
    sorts: dict[str, set[str]] = {
        "none right": {p for p, s in share.items() if s == 0},
        "less than half": {p for p, s in share.items() if 0 < s < 0.5},
        "half or more": {p for p, s in share.items() if 0.5 <= s < 1},
        "all right": {p for p, s in share.items() if s == 1},
        "all problems": set(share),
    }
    found = []
    for name, keep in sorts.items():
        if not keep:
            continue
        mine = {m: [r for r in rec if r["problem"]["id"] in keep] for m, rec in rest.items()}
        row: Row = {"bucket": name, "problems": len(keep)}
        if (sampled := bucket_row(mine[a], mine[b])) is not None:
            row["sampled"] = sampled
        whole = [[r for r in m["greedy"] if r["problem"]["id"] in keep] for m in (before, after)]
        if half and (greedy := bucket_row(*whole)) is not None:
            row["greedy"] = greedy
        row["thought_tokens"] = []
        for model, right in itertools.product((a, b), (True, False)):
            chosen = [r for r in mine[model] if r["verdict"]["correct"] is right]
            if chosen:
                tokens = mean([[r["thought_tokens"] for r in g] for g in groups(chosen).values()])
                cut = sum(r["finish"] != "stop" for r in chosen)
                row["thought_tokens"].append({"model": model, "right": right, "cut": cut, "tokens": tokens})
        found.append(row)
    return {
        "a": a, "b": b, "sorted_by": "samples" if half else "greedy", "sorting": half or 1, "compared": k - half,
        "unsorted": len(set(groups(before["sampled"])) - set(share)), "buckets": found,
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------- equal cost


def elected(block: list[Row]) -> float:
    """The chance that a vote of these completions is won by a right answer."""
    valid = [r for r in block if r["verdict"]["status"] == "ok"]
    named = [(next(x for x in (r["verdict"]["extracted"], r["answer_text"], r["text"]) if x is not None).strip(), r)
             for r in valid]  # fmt: skip
    counted = Counter(name for name, _ in named)
    if not counted:
        return 0.0
    most = max(counted.values())
    tied = [name for name, votes in counted.items() if votes == most]
    right = [[r["verdict"]["correct"] for n, r in named if n == name] for name in tied]
    return sum(sum(x) / len(x) for x in right) / len(tied)


def equal_cost(models: Row, final: str, others: list[str]) -> list[Row]:
    own = marks(models[final]["sampled"]) if final in models else {}
    if not own:
        return []

    def tokens(name: str, samples: int) -> Row:
        return mean([[samples * r["tokens"] for r in g] for g in groups(models[name]["sampled"]).values()])

    budget = tokens(final, 1)
    found = [{
        "model": final, "how": "one", "samples": 1, "rate": pass_rate(models[final]["sampled"]),
        "tokens_per_problem": budget, "equal_cost": True, "final_minus_this": None,
    }]  # fmt: skip
    for name in dict.fromkeys(others):
        graded = [r for r in models.get(name, {"sampled": []})["sampled"] if r["verdict"]["correct"] is not None]
        m = marks(graded)
        if name == final or not m:
            continue
        k, one = max(map(len, m.values())), tokens(name, 1)["value"]
        same = max(1, min(k, math.floor(budget["value"] / one))) if one else k
        for samples, how in itertools.product(sorted({1, same, k}), ("one", "vote", "any")):
            if (how == "one") != (samples == 1):
                continue
            values = {}
            for p, g in groups(graded).items():
                blocks = [g[i * samples : (i + 1) * samples] for i in range(len(g) // samples)]
                if how == "vote" and blocks:
                    values[p] = sum(map(elected, blocks)) / len(blocks)
                elif how != "vote" and len(g) >= samples:
                    values[p] = any_of(len(g), sum(m[p]), samples)
            if not values:
                continue
            d = paired([sum(own[p]) / len(own[p]) - v for p, v in values.items() if p in own])
            d.pop("se")
            found.append({
                "model": name, "how": how, "samples": samples,
                "rate": rate(list(values.values()), sum(len(m[p]) for p in values)),
                "tokens_per_problem": tokens(name, samples), "equal_cost": samples == same, "final_minus_this": d,
            })  # fmt: skip
    return found


# ---------------------------------------------------------------------------------------------- training


def windows(items: list[Any]) -> list[list[Any]]:
    width = max(1, math.ceil(len(items) / 50))
    return [items[i : i + width] for i in range(0, len(items), width)]


def curves(rollouts: list[Row], metrics: list[Row]) -> Row:
    by_step: dict[int, list[Row]] = defaultdict(list)
    for r in rollouts:
        if r["verdict"]["correct"] is not None and not r.get("given"):
            by_step[r["step"]].append(r)
    found: Row = {}
    solved = []
    for steps in windows(sorted(by_step)):
        solved.append(
            {"first": steps[0], "last": steps[-1], **(pass_rate([r for s in steps for r in by_step[s]]) or {})}
        )
    dev = []
    for row in metrics:
        if row.get("dev/worked_accuracy") is not None:
            n = int(row.get("dev/problems") or 0)
            p = row["dev/worked_accuracy"]
            dev.append({"first": row["step"], "last": row["step"], "value": p, "ci95": wilson(p, n) if n > 1 else None,
                        "n": n or None, "distinct": n or None})  # fmt: skip
    found |= {"solve_rate": solved} if solved else {}
    return found | ({"dev_accuracy": dev} if dev else {})


def audit(rollouts: list[Row]) -> Row:
    outcome = {True: "right", False: "wrong", None: "not graded"}
    reward: Row = {}
    for correct, name in outcome.items():
        mine = [r for r in rollouts if r["verdict"]["correct"] is correct]
        paid = [r["reward"] for r in mine if r["reward"] is not None]
        reward[name] = {
            "rollouts": len(mine), "paid": sum(x > 0 for x in paid), "mean_reward": sum(paid) / len(paid) if paid else None,
            "lowest": min(paid, default=None), "highest": max(paid, default=None),
        }  # fmt: skip
    due = {True: 1.0, False: 0.0, None: None}
    alone = all(
        r["reward"] == due[r["verdict"]["correct"]] and set(r.get("reward_parts") or {}) <= {"correct"}
        for r in rollouts
    )
    wrong = [r for r in rollouts if r["verdict"]["correct"] is False and (r["reward"] or 0) > 0]
    times = Counter(hashlib.sha256(r["text"].encode("utf-8", "surrogatepass")).digest() for r in wrong)
    best: dict[bytes, Row] = {}
    for r in wrong:
        key = hashlib.sha256(r["text"].encode("utf-8", "surrogatepass")).digest()
        if key not in best or r["reward"] >= best[key]["reward"]:
            best[key] = r
    top = sorted(best.items(), key=lambda x: (-x[1]["reward"], -x[1]["step"], x[1]["problem"]["id"]))[:20]
    unread = Counter(
        (r["verdict"]["status"], r["verdict"]["reason"]) for r in rollouts if r["verdict"]["status"] != "ok"
    )
    return {
        "rollouts": len(rollouts), "verdict_alone": alone, "reward": reward,
        "paid_and_wrong": [
            {"step": r["step"], "problem": r["problem"]["id"], "reward": r["reward"], "times": times[key]} for key, r in top
        ],
        "reasons": [
            {"status": s, "reason": why, "count": n} for (s, why), n in sorted(unread.items(), key=lambda x: (-x[1], x[0]))
        ][:10],
    }  # fmt: skip


def seconds(stage: Row, metrics: list[Row]) -> Row | None:
    if not any("time/step" in row for row in metrics):
        return None

    def total(key: str) -> float:
        return math.fsum(row.get(key) or 0.0 for row in metrics)

    whole = ("time/step", "time/source", "time/train")
    parts = dict.fromkeys(k for row in metrics for k in row if k.startswith("time/") and k not in whole)
    found = {k.split("/", 1)[1]: total(k) for k in parts}
    found["other work on data"] = max(0.0, total("time/source") - sum(found.values()))
    found["train"] = total("time/train")
    found["between steps"] = max(0.0, stage.get("wall_s", 0.0) - total("time/step"))
    return found


# ---------------------------------------------------------------------------------------------- drift, and the run


def drift(models: Row, base: str, benchmarks: list[Row]) -> list[Row]:
    found = []
    for bench, name in itertools.product(benchmarks, [m for m in models if m != base]):
        key, chance = bench["name"], bench.get("chance")
        if bench["metric"] == "bits_per_byte":
            a, b = ({r["id"]: r for r in models[m]["bytes"].get(key, [])} for m in (base, name))
            both = [i for i in a if i in b]
            if not both:
                continue
            size = sum(a[i]["bytes"] for i in both)
            x = [a[i]["bits"] for i in both]
            y = [b[i]["bits"] / b[i]["bytes"] * a[i]["bytes"] for i in both]
            ratio = math.fsum(y) / math.fsum(x)
            e = math.fsum((v - ratio * u) ** 2 for u, v in zip(x, y, strict=True))
            n = len(both)
            se = math.sqrt(n / (n - 1) * e) / math.fsum(x)
            half = quantile(n - 1) * se
            p = float(2 * t.sf(abs(ratio - 1) / se, n - 1)) if se > 1e-12 else float(abs(ratio - 1) < 1e-12)
            values: Row = {"base_value": sum(x) / size, "value": sum(y) / size, "base_ci95": None, "diff": ratio - 1,
                           "ci95": [ratio - 1 - half, ratio - 1 + half], "p_value": p, "can_show": True,
                           "z": (ratio - 1) / se if se > 1e-12 else None}  # fmt: skip
        else:
            if bench["metric"] in ("acc", "acc_norm"):
                answered = [{r["id"]: r for r in models[m]["choices"].get(key, [])} for m in (base, name)]
                a, b = ({i: [is_likeliest(r, bench["metric"])] for i, r in found.items()} for found in answered)
                shared = [answered[0][i] for i in a if i in b]
                chance = sum(1 / len(r["logps"]) for r in shared) / len(shared) if shared else None
            else:
                a, b = (marks(models[m]["drift"].get(key, [])) for m in (base, name))
            both = [p for p in a if p in b]
            if not both:
                continue
            shares = [[sum(m[p]) / len(m[p]) for p in both] for m in (a, b)]
            d = paired([v - u for u, v in zip(*shares, strict=True)])
            before = rate(shares[0], sum(len(a[p]) for p in both))
            values = {"base_value": before["value"], "value": math.fsum(shares[1]) / len(both), "base_ci95": before["ci95"],
                      "diff": d["diff"], "ci95": d["ci95"], "p_value": d["p_value"],
                      "can_show": before["ci95"][0] > (chance or 0.0),
                      "z": d["diff"] / d["se"] if d["se"] > 1e-12 else None}  # fmt: skip
            values |= {"chance": chance}
        found.append({"name": key, "metric": bench["metric"], "model": name, "n": len(both), **values})
    return found


def is_likeliest(row: Row, metric: str) -> bool:
    """The right choice has the largest log-likelihood (acc), or that per character (acc_norm); of equals the first counts."""
    scores = [logp / (n if metric == "acc_norm" else 1) for logp, n in zip(row["logps"], row["chars"], strict=True)]
    return scores.index(max(scores)) == row["gold"]


def recount(run: Path) -> Row:
    names = load(run / "run.json")["stages"]
    stages = {name: load(run / name / "stage.json") for name in names}
    makes = [n for n, s in stages.items() if "policy" in (s.get("output") or {})]
    trained = [n for n in makes if not stages[n]["control"]]
    evals = [n for n in names if (run / n / "protocol.json").is_file()]
    on_test = [n for n in evals if load(run / n / "protocol.json")["split"] == "test"]
    main = (on_test or evals)[-1]
    protocol = load(run / main / "protocol.json")
    models: Row = {}
    for name in protocol["models"]:
        folder = run / main / name
        models[name] = {
            "sampled": rows(folder / "sampled.jsonl"), "greedy": rows(folder / "greedy.jsonl"),
            "drift": {d["name"]: rows(folder / f"drift_{d['name']}.jsonl") for d in protocol["drift"]},
            "bytes": {d["name"]: rows(folder / f"drift_{d['name']}.bytes.jsonl") for d in protocol["drift"]},
            "choices": {d["name"]: rows(folder / f"drift_{d['name']}.choices.jsonl") for d in protocol["drift"]},
        }  # fmt: skip
    base, final = protocol["base"], trained[-1]
    start = base if stages[final]["input"]["policy"] == "base" else stages[final]["input"]["policy"]
    pairs = [(start, final), (base, final), *((base, n) for n in trained[:-1]), *((n, final) for n in trained[:-1]),
             *((n, final) for n in makes if stages[n]["control"])]  # fmt: skip
    compared = []
    for (a, b), metric in itertools.product(dict.fromkeys(pairs), ("sampled", "greedy")):
        found = compare(models[a][metric], models[b][metric]) if a != b and a in models and b in models else None
        compared += [{"a": a, "b": b, "metric": metric, **found}] if found else []
    metrics = {name: rows(run / name / "metrics.jsonl") for name in names}
    rollouts = {name: rows(run / name / "rollouts" / "rollouts.jsonl") for name in names}
    asked = []
    for name, m in models.items():
        every = [*m["sampled"], *m["greedy"], *(r for d in m["drift"].values() for r in d)]
        asked.append(
            {"evaluation": main, "model": name, "completions": len(every), "tokens": sum(r["tokens"] for r in every)}
        )
    timed = {name: seconds(stages[name], metrics[name]) for name in names}
    curved = {name: curves(rollouts[name], metrics[name]) for name in names}
    return {
        "models": {name: summary(m["sampled"], m["greedy"], protocol["k"]) for name, m in models.items()},
        "comparisons": compared,
        "drift": drift(models, base, protocol["drift"]),
        "equal_cost": equal_cost(models, final, [base, start]),
        "difficulty": difficulty(start, models[start], final, models[final]),
        "curves": {name: found for name, found in curved.items() if found},
        "reward_audit": {name: audit(found) for name, found in rollouts.items() if found},
        "evaluation_tokens": asked,
        "seconds_by_phase": {name: found for name, found in timed.items() if found},
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(recount(Path(sys.argv[1]))) + "\n")

"""The tables of ``docs/comparison.md``, from the stored answers alone."""

import re
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import peer_worker
from common import footer, table, write_between
from coverage_scores import interval_score
from peers import EVERY, OURS, PEERS, PLANNERS

PAGE = "comparison.md"
COMMAND = "python tests/benchmarks/compare.py"
R_PACKAGES = ("CausalImpact", "Synth", "augsynth", "GeoLift", "synthdid", "scpi", "bsynth")
BOOTSTRAPS = 1000
PRECISION = 2.49
"""Two-sided at 10 % with a power of 0.8: the effect found over the error's standard deviation."""


def write(fits: Sequence[Mapping[str, Any]], plans: Sequence[Mapping[str, Any]]) -> None:
    """Every section of the page for which there are answers."""
    if fits:
        rows = scored(fits)
        write_between(PAGE, "summary", summary(rows))
        write_between(PAGE, "better", better(rows))
        write_between(PAGE, "scores", by_panel(rows, score_cell))
        write_between(PAGE, "errors", by_panel(rows, error_cell))
        write_between(PAGE, "cost", cost(rows))
        write_between(PAGE, "cannot", cannot(rows))
        write_between(PAGE, "failures", failures(rows))
    write_between(PAGE, "plans", planned(plans))
    if fits:
        write_between(PAGE, "footer", f"{footer(COMMAND)} {circumstances(rows)}")


def circumstances(rows: pd.DataFrame) -> str:
    """Where ours come from, and how busy the machine was."""
    fitted = int((rows["peer"] == OURS.name).sum()) - int(rows["scoreboard"].sum())
    others = int(rows["scoreboard"].sum())
    return (
        f"Ours: {fitted} fits in this run, {others} of `python tests/benchmarks/scoreboard.py` "
        "with the same settings. Processes that wanted a core when a library was started, mean: "
        f"{rows['load'].mean():.1f}."
    )


def scored(fits: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per answer with its error and score, in the unit's pre-period sd, and ours there."""
    columns = ["estimate", "lower", "upper", "reason", "cpu", "seconds", "memory", "version"]
    columns += ["scoreboard", "load"]
    rows = pd.DataFrame([dict(row) for row in fits])
    rows = rows.reindex(columns=[*dict.fromkeys([*rows.columns, *columns])])
    rows = rows.drop_duplicates(["peer", "source", "unit"], keep="last").reset_index(drop=True)
    rows["scoreboard"] = rows["scoreboard"].eq(True)
    numbers = ["estimate", "lower", "upper"]
    rows[numbers] = rows[numbers].astype(float)
    rows["error"] = (rows["estimate"] - rows["truth"]) / rows["pre_sd"]
    winkler = interval_score(rows["lower"], rows["upper"], rows["truth"])
    rows["score"] = winkler / rows["pre_sd"]
    rows["held"] = (rows["lower"] <= rows["truth"]) & (rows["truth"] <= rows["upper"])
    up, down = rows["lower"] + rows["pre_sd"] > 0, rows["upper"] - rows["pre_sd"] < 0
    rows["power"] = (up.astype(float) + down.astype(float)) / 2
    ours = rows.loc[rows["peer"] == OURS.name, ["source", "unit", "error", "score", "held"]]
    return rows.merge(ours, on=["source", "unit"], how="left", suffixes=("", " ours"))


def part_of(rows: pd.DataFrame, peer: str, what: str = "score") -> pd.DataFrame:
    """A library's answers of this kind, where we have one too."""
    part = rows[rows["peer"] == peer]
    return part[part[what].notna() & part[f"{what} ours"].notna()]


def summary(rows: pd.DataFrame) -> str:
    """One line per library: what its intervals are worth, beside ours on the same placebos."""
    lines = []
    for peer in EVERY:
        asked, part = rows[rows["peer"] == peer], part_of(rows, peer)
        line = {"library": peer, "intervals / asked": f"{len(part)} / {len(asked)}"}
        line |= dict.fromkeys(("covers, nominal 95 %", "ours there", "score over ours"), "-")
        line |= dict.fromkeys(("RMSE over ours", "finds one sd"), "-")
        if len(part):
            line["covers, nominal 95 %"] = share(part["held"])
            line["ours there"] = share(part["held ours"].astype(bool))
            line["score over ours"] = ratio(part, "score")
            line["finds one sd"] = share(part["power"])
        estimates = part_of(rows, peer, "error")
        if len(estimates):
            line["RMSE over ours"] = ratio(estimates, "error")
        lines.append(line)
    return table(lines)


def share(values: pd.Series) -> str:
    """A share with its Monte Carlo error, which is not zero at 0 or 1."""
    smooth = (values.sum() + 1) / (len(values) + 2)
    return f"{values.mean():.2f} ± {np.sqrt(smooth * (1 - smooth) / len(values)):.2f}"


def mean_of(values: Any, what: str) -> Any:
    """Mean score, or root mean square error, along the last axis."""
    values = np.asarray(values, float)
    return np.sqrt((values**2).mean(-1)) if what == "error" else values.mean(-1)


def size(part: pd.DataFrame, what: str, column: str = "") -> float:
    """The same of a column of answers."""
    return float(mean_of(part[column or what], what))


def ratio(part: pd.DataFrame, what: str) -> str:
    """Geometric mean over panels of theirs over ours; error by resampling placebos in panels."""
    if (part["peer"] == OURS.name).all():
        return "1"
    rng, logs, found = np.random.default_rng(0), np.zeros(BOOTSTRAPS), []
    for _, each in part.groupby("source"):
        pairs = each[[what, f"{what} ours"]].to_numpy(float).T
        drawn = pairs[:, rng.integers(0, len(each), (BOOTSTRAPS, len(each)))]
        logs = logs + np.subtract(*np.log(mean_of(drawn, what)))
        found.append(float(np.subtract(*np.log(mean_of(pairs, what)))))
    low, high = np.exp(np.quantile(logs / len(found), [0.025, 0.975]))
    return f"{np.exp(np.mean(found)):.2f} ({low:.2f} to {high:.2f})"


def by_panel(rows: pd.DataFrame, cell: Any) -> str:
    """Panels by libraries; bold where a library did better than ours on the same placebos."""
    lines = []
    for source in dict.fromkeys(rows["source"]):
        there = rows[rows["source"] == source]
        count = int((there["peer"] == OURS.name).sum())
        line = {"panel (placebos)": f"{source} ({count})"}
        lines.append(line | {peer: cell(there, peer, count) for peer in EVERY})
    return table(lines)


def score_cell(rows: pd.DataFrame, peer: str, count: int) -> str:
    """Coverage and mean score."""
    part = part_of(rows, peer)
    if not len(part):
        return "-"
    text = f"{part['held'].mean():.2f} / {size(part, 'score'):.2f}"
    return _marked(text, part, "score", count)


def error_cell(rows: pd.DataFrame, peer: str, count: int) -> str:
    """Root mean square error."""
    part = part_of(rows, peer, "error")
    return _marked(f"{size(part, 'error'):.2f}", part, "error", count) if len(part) else "-"


def _marked(text: str, part: pd.DataFrame, what: str, count: int) -> str:
    ours = size(part, what, f"{what} ours")
    won = size(part, what) < ours * (1 - 1e-9)
    some = f" ({len(part)}; ours {ours:.2f})" if len(part) < count else ""
    return (f"**{text}**" if won else text) + some


def better(rows: pd.DataFrame) -> str:
    """Where other libraries did better than ours, on the same placebos; from these numbers only."""
    lines = []
    for peer in PEERS:
        won: dict[str, list[str]] = {"score": [], "error": []}
        for source in dict.fromkeys(rows["source"]):
            for what, found in won.items():
                part = part_of(rows[rows["source"] == source], peer, what)
                if len(part) and size(part, what) < size(part, what, f"{what} ours"):
                    found.append(f"{source} ({len(part)})")
        cheaper = [
            name
            for name, what in (("time", "cpu"), ("memory", "memory"))
            if typical(rows, peer, what) < typical(rows, OURS.name, what)
        ]
        if lines_of(peer) < lines_of(OURS.name):
            cheaper.append("lines typed")
        listed = [", ".join(each) or "-" for each in (won["score"], won["error"], cheaper)]
        names = ("a better score", "a smaller error", "less")
        lines.append({"library": peer, **dict(zip(names, listed, strict=True))})
    return table(lines)


def typical(rows: pd.DataFrame, peer: str, what: str) -> float:
    """Median over fits that were not the first of their process, where there are any."""
    part = rows[(rows["peer"] == peer) & rows[what].notna()]
    later = part[~part["first"].astype(bool)]
    return float((later if len(later) else part)[what].median())


def lines_of(peer: str) -> int:
    """What the user types, from the worker that was run."""
    return peer_worker.lines_typed(peer_worker.ANSWERS[peer])


def cost(rows: pd.DataFrame) -> str:
    """Time, memory and lines, versions, and the command of each row."""
    lines = []
    for peer, facts in EVERY.items():
        known = rows.loc[rows["peer"] == peer, "version"].dropna()
        dates = known.iloc[-1] if len(known) else "-"
        numbers = [typical(rows, peer, what) for what in ("cpu", "seconds", "memory")]
        cpu, seconds, memory = (f"{n:.3g}" if np.isfinite(n) else "-" for n in numbers)
        wants = ", ".join(facts.requirements) or "this repository"
        lines.append(
            {
                "library": peer,
                "version": f"{facts.package} {dates}",
                "CPU seconds a fit": cpu,
                "seconds a fit, busy machine": seconds,
                "memory, MB": memory,
                "lines typed": lines_of(peer),
                "installed": f"`{wants}`",
                "command": f"`{COMMAND} --peers {peer}`",
            }
        )
    return table(lines)


def cannot(rows: pd.DataFrame) -> str:
    """What each interval is, and what the library does not do."""
    del rows
    return table(
        [
            {"library": peer, "what was asked": facts.method, "what it cannot do": facts.cannot}
            for peer, facts in {**EVERY, **PLANNERS}.items()
        ]
    )


def failures(rows: pd.DataFrame) -> str:
    """Why there was no interval, per library, and the R packages."""
    lines = []
    for peer in EVERY:
        part = rows[rows["peer"] == peer]
        reasons = part["reason"].dropna().map(short)
        for reason, count in reasons.value_counts().items():
            lines.append({"library": peer, "of": f"{count} of {len(part)}", "reason": reason})
        if not len(part):
            lines.append({"library": peer, "of": "-", "reason": "not asked yet"})
    found = shutil.which("Rscript")
    why = "R is here, but no worker for R is written yet" if found else "no R on this machine"
    lines.append({"library": f"R: {', '.join(R_PACKAGES)}", "of": "-", "reason": why})
    return table(lines)


def short(reason: str) -> str:
    """The first words of a reason, without addresses, paths and table marks."""
    plain = re.sub(r"\S*(://|/)\S+", "...", " ".join(reason.split())).replace("|", "")
    return plain if len(plain) <= 200 else plain[:200] + "..."


def planned(plans: Sequence[Mapping[str, Any]]) -> str:
    """Sets recommended, what was claimed of them and what came true."""
    lines = []
    asked = {peer: {"peer": peer, "reason": "not asked yet"} for peer in PLANNERS}
    for row in (asked | {row["peer"]: dict(row) for row in plans}).values():
        line = {"library": row["peer"], "sets": "-", "of markets": "-", "claimed": "-"}
        line |= dict.fromkeys(("error", "would have been found", "beyond the claim"), "-")
        line |= dict.fromkeys(("CPU s", "memory, MB", "lines typed"), "-")
        if "reason" in row:
            lines.append(line | {"sets": short(row["reason"]), "version": "-"})
            continue
        claims = np.array([claim for _, claim in row["claims"]])
        errors = np.abs(row["errors"])
        rms = float(np.sqrt(np.mean(errors**2)))
        sizes = sorted({len(units) for units, _ in row["claims"]})
        line |= {
            "sets": len(claims),
            "of markets": " to ".join(str(s) for s in (sizes[:1] + sizes[1:][-1:])),
            "claimed": f"{100 * np.median(claims):.1f} %",
            "error": f"{100 * rms:.1f} %",
            "would have been found": f"{100 * PRECISION * rms:.1f} %",
            "beyond the claim": f"{int((errors > claims).sum())} of {len(claims)}",
            "CPU s": f"{row['cpu']:.0f}",
            "memory, MB": f"{row['memory']:.0f}",
            "lines typed": row["lines"],
        }
        lines.append(line | {"version": f"{PLANNERS[row['peer']].package} {row['version']}"})
    return table(lines)

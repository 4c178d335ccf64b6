"""Other libraries on the scoreboard's placebos: their answers and their table."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from common import WorkerError, table
from coverage_runs import PANELS, read
from coverage_scores import interval_score
from peers import PEERS, intervals

import bayes_synth as bs

FILE = "peers.jsonl"
RIVALS = ("causalimpact", "causalpy")
CHUNK = 8
"""Placebos per process of a peer: a run that was stopped loses no more."""


def placebo_job(source: str, unit: str) -> dict[str, Any]:
    """A donor as if treated, as the peers' workers take it; DesignError if it cannot be one."""
    panel = PANELS[source]().as_if_treated(unit)
    series = {
        "outcome": panel.treated_outcome.to_numpy().tolist(),
        "donors": panel.donor_outcomes.to_numpy().tolist(),
    }
    return {**series, "pre": len(panel.pre)}


def work_peers(
    panels: tuple[str, ...],
    peers: tuple[str, ...],
    store: Path,
    minutes: float,
    most: int | None = None,
) -> None:
    """Ask every peer for what is not stored yet, on every core, until the time is over."""
    store.mkdir(parents=True, exist_ok=True)
    done = {(row["peer"], row["source"], row["unit"]) for row in read(store / FILE)}
    todo = [
        chunk for panel in panels for peer in peers for chunk in _chunks(peer, panel, done, most)
    ]
    for peer in sorted({chunk[0][0] for chunk in todo}):
        intervals(peer, [])  # makes its environment, once
    end = time.monotonic() + 60 * minutes
    with (store / FILE).open("a") as file:
        file.write("\n" if done else "")
        pool = joblib.Parallel(
            n_jobs=joblib.cpu_count(), backend="threading", return_as="generator_unordered"
        )
        for rows in pool(joblib.delayed(_ask)(chunk, end) for chunk in todo):
            file.writelines(json.dumps(row) + "\n" for row in rows)
            file.flush()


def _chunks(
    peer: str, source: str, done: set[tuple[str, str, str]], most: int | None
) -> Iterator[list[tuple[str, str, str]]]:
    todo = [
        (peer, source, unit)
        for unit in PANELS[source]().donors[:most]
        if (peer, source, unit) not in done
    ]
    yield from (todo[i : i + CHUNK] for i in range(0, len(todo), CHUNK))


def _ask(chunk: list[tuple[str, str, str]], end: float) -> list[dict[str, Any]]:
    """One line per usable placebo; a worker that died is the answer of each of its placebos."""
    if time.monotonic() > end:
        return []
    keys, jobs = [], []
    for peer, source, unit in chunk:
        try:
            jobs.append(placebo_job(source, unit))
        except bs.errors.DesignError:
            continue
        keys.append({"peer": peer, "source": source, "unit": unit})
    try:
        answers = intervals(chunk[0][0], jobs)
    except WorkerError as error:
        answers = [{"reason": str(error)}] * len(jobs)
    print(f"{chunk[0][0]}: {len(jobs)} placebos of {chunk[0][1]}", flush=True)
    return [key | found for key, found in zip(keys, answers, strict=True)]


def peer_table(fits: pd.DataFrame, answers: list[dict[str, Any]]) -> str:
    """Coverage and score by panel: every peer's where it answered, and ours there."""
    asked = pd.DataFrame(answers).reindex(
        columns=["peer", "source", "unit", "mean", "lower", "upper", "reason"]
    )
    ours = fits[["source", "unit", "pre_sd", "truth", "covered 0.95", "score"]]
    both = asked.merge(ours, on=["source", "unit"])
    both["theirs"] = interval_score(both["lower"], both["upper"], both["truth"]) / both["pre_sd"]
    both["held"] = (both["lower"] <= both["truth"]) & (both["truth"] <= both["upper"])
    lines, ratios = [], []
    for source, part in fits.groupby("source", sort=False):
        theirs = {peer: both[(both["source"] == source) & (both["peer"] == peer)] for peer in PEERS}
        best = min(
            (theirs[peer] for peer in RIVALS),
            key=lambda rows: rows["theirs"].mean() if len(rows) else np.inf,
        )
        ratios.append(best["score"].mean() / best["theirs"].mean())
        ours = f"{part['covered 0.95'].mean():.2f} / {part['score'].mean():.2f}"
        cells = {peer: _cell(answers, len(part)) for peer, answers in theirs.items()}
        lines.append({"panel": source, "this library": ours, **cells, "ratio": f"{ratios[-1]:.2f}"})
    better = f"the better of {' and '.join(RIVALS)}, on the placebos that it was given"
    note = f"Ratio: our score over {better}; mean over panels {np.mean(ratios):.2f}."
    return "\n\n".join([table(lines), note, "\n".join(_reasons(asked))])


def _cell(part: pd.DataFrame, placebos: int) -> str:
    answered = part[part["lower"].notna()]
    if not len(answered):
        return "-"
    some = f" ({len(answered)} of {placebos}; ours there {answered['score'].mean():.2f})"
    return f"{answered['held'].mean():.2f} / {answered['theirs'].mean():.2f}" + some * (
        len(answered) < placebos
    )


def _reasons(asked: pd.DataFrame) -> Iterator[str]:
    """What each peer's interval is, and why it gave none where it gave none."""
    for peer, facts in PEERS.items():
        part = asked[asked["peer"] == peer]
        missing = part["reason"].dropna().str.slice(0, 160).value_counts()
        why = "; ".join(
            f"{count} of {len(part)} without: {reason}" for reason, count in missing.head(3).items()
        )
        yield f"- {peer} ({', '.join(facts.requirements)}): {facts.method}." + f" {why}." * bool(
            why
        )

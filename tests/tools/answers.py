"""Hashes of what 37 fits, a batch and a run of checks answer: did a change change an answer?

``python tests/tools/answers.py`` writes ``tests/promises/answers.json``, with which
``tests/promises/test_same_answers.py`` compares.
Draws are bitwise equal on one type of machine only, so the file says on which one it was made.
"""

import hashlib
import json
import sys
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import llvmlite.binding
import numpy as np
import pandas as pd

import bayes_synth as bs
from bayes_synth.testing import fake_panel

RENAMED = {"step": "scale"}
"""Variables by the names that they had when the answers were made."""
REWORDED = ("typical step", "scale")
"""What the noise processes' descriptions said then, which label the scores of a choice."""
NEWER = ["p_two_sided", "mcse_lower", "mcse_upper", "p_mcse", "p_late_mcse", "shift_mcse"]
"""Columns that tables did not have when the answers were made."""
ANSWERS = Path(__file__).parents[1] / "promises" / "answers.json"
PLAN = bs.Calibration(draws=60, tune=60, most=6)
SIZES = {"draws": 60, "tune": 60, "chains": 2, "random_seed": 1, "progressbar": False}
MODELS = {
    "default": (bs.SyntheticControl(calibrate=PLAN), "auto"),
    "log trend": (
        bs.SyntheticControl(noise=bs.noise.LocalLinearTrend(), scale="log", calibrate=PLAN),
        "auto",
    ),
    "classical": (
        bs.SyntheticControl(
            weights=bs.priors.Dirichlet(concentration=1.0),
            noise=bs.noise.IID(intercept=False),
            calibrate=False,
        ),
        "auto",
    ),
    "nutpie": (bs.SyntheticControl(calibrate=False), "nutpie"),
    "student": (
        bs.SyntheticControl(noise=bs.noise.LocalLevel(degrees_of_freedom=4), calibrate=False),
        "auto",
    ),
    "ar1": (bs.SyntheticControl(noise=bs.noise.AR1(), calibrate=PLAN), "auto"),
}


def frame(panel):
    return panel.outcomes.to_pandas()


def gappy():
    """A panel whose treated unit has no outcome in two pre-periods and one post-period."""
    table = frame(fake_panel(effect=3.0))
    table.iloc[[4, 11, 23], table.columns.get_loc("treated")] = np.nan
    return bs.Panel.from_wide(
        table, treated="treated", start=2020, outcome="sales", missing="model"
    )


def several():
    """Two treated units."""
    table = frame(fake_panel(donors=9, effect=2.0))
    return bs.Panel.from_wide(table, treated=["treated", "donor_03"], start=2020, outcome="sales")


PANELS = {
    "prop99": lambda: bs.load_dataset("prop99"),
    "texas": lambda: bs.load_dataset("texas"),
    "geo_test": lambda: bs.load_dataset("geo_test"),
    "dated": lambda: fake_panel(effect=3.0, dates=True),
    "gaps": gappy,
    "several": several,
}


def digest(*parts):
    found = hashlib.sha256()
    for part in parts:
        values = np.asarray(part)
        if values.dtype.kind in "OUT":
            found.update(repr(values.tolist()).replace(*REWORDED).encode())
        else:
            kind = values.astype("datetime64[ns]") if values.dtype.kind == "M" else values
            found.update(str(kind.dtype).encode() + np.ascontiguousarray(kind).tobytes())
    return found.hexdigest()[:16]


def table_digest(table):
    table = table.drop(columns=NEWER, errors="ignore")
    numbers = [
        column if column.dtype.kind in "biufM" else column.astype(str)
        for _, column in table.items()
    ]
    return digest(
        list(map(str, table.columns)), list(map(str, table.index)), *(c.to_numpy() for c in numbers)
    )


def summary_of_old(fit):
    """The summary as it was: the total was called cumulative, and was of the mean unit."""
    table = fit.summary().drop(index="total", columns="measure")
    sized = ["mean", "median", "sd", "lower", "upper", "mcse"]
    table.loc["cumulative", sized] = (table.loc["cumulative", sized] / len(fit.panel.treated)).array
    return table


def path_of_old(fit):
    """The table of paths as it was: the running total was of the mean unit."""
    table = fit.to_frame()
    table[table.filter(like="cumulative_").columns] /= len(fit.panel.treated)
    return table


def group_of_old(path, dataset, units):
    """A group as it was: see :func:`summary_of_old`."""
    if path != "/effects":
        return dataset
    return dataset.drop_vars(["total", "cumulative"]).assign(cumulative=dataset["total"] / units)


def answer(fit):
    """Hashes of one fit, and its summary in numbers, for machines on which the bits differ."""
    draws = {}
    for path, node in fit.idata.subtree_with_keys:
        dataset = group_of_old(path, node.to_dataset(inherit=False), len(fit.panel.treated))
        names = {RENAMED.get(name, name): name for name in dataset.variables}
        draws[path] = digest(
            *(part for name in sorted(names) for part in (name, dataset[names[name]].to_numpy()))
        )
    summary = summary_of_old(fit)
    return {
        "draws": draws,
        "summary": table_digest(summary),
        "weights": table_digest(fit.weights()),
        "path": table_digest(path_of_old(fit)),
        "diagnostics": table_digest(fit.diagnostics()),
        "values": {
            name: summary.loc[name, ["median", "lower", "upper"]].tolist() for name in summary.index
        },
    }


def fits():
    """Every panel by every model; nothing is made before it is called for."""
    for panel in PANELS:
        for model in MODELS:
            yield f"{panel}, {model}", partial(fitted, panel, model)


def fitted(panel_name, model_name):
    panel, (model, sampler) = PANELS[panel_name](), MODELS[model_name]
    if model.scale == "log" and (panel.outcomes <= 0).any():
        model = replace(model, scale="linear")
    return answer(model.fit(panel, sampler=sampler, **SIZES))


def chosen():
    """A fit whose noise is chosen."""
    model = bs.SyntheticControl(noise="auto", calibrate=PLAN)
    return answer(model.fit(fake_panel(donors=5, effect=2.0), **SIZES))


def batch():
    """A batch with every kind of task."""
    panel = bs.load_dataset("prop99").keep(["Utah", "Nevada", "Montana", "Ohio", "Texas"])
    tasks = [
        *bs.batch.placebos(panel, draws=60, tune=60),
        *bs.batch.leave_one_out(panel, draws=60, tune=60),
        *bs.batch.backdates(
            panel, periods=(2, 4), draws=60, tune=60, model=bs.SyntheticControl(calibrate=PLAN)
        ),
    ]
    found = bs.fit_many(tasks, random_seed=3, progressbar=False, keep="full")
    tables = [table_digest(summary_of_old(fit)) for fit in found.fits]
    table = found.table.drop(columns="seconds")
    old = {name: name.replace("total_", "cumulative_") for name in table}
    return {"table": table_digest(table.rename(columns=old)), "fits": tables}


def checks():
    """Every check of a calibrated fit: tables and verdicts."""
    panel = bs.load_dataset("prop99").keep(["Utah", "Nevada", "Montana", "Ohio", "Texas", "Idaho"])
    fit = bs.SyntheticControl(calibrate=replace(PLAN, most=40)).fit(panel, **SIZES)
    found = bs.checks.run(fit, random_seed=5, progressbar=False)
    tables = {
        check.name: check.table.drop(columns="mcse", errors="ignore") for check in found
    }  # the Monte Carlo error of a refit's median is new
    return {check.name: [check.verdict, table_digest(tables[check.name])] for check in found}


def machine():
    """What the bits depend on besides the code: the processor and the packages that compute."""
    packages = {
        name: pd.__version__ if name == "pandas" else __import__(name).__version__
        for name in ("numpy", "scipy", "pandas")
    }
    import numba
    import nutpie

    return {
        "processor": llvmlite.binding.get_host_cpu_name(),
        "python": sys.version.split()[0],
        **packages,
        "numba": numba.__version__,
        "nutpie": nutpie.__version__,
    }


def answers():
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, make in [*fits(), ("chosen noise", chosen), ("batch", batch), ("checks", checks)]:
            found[name] = make()
            print(name, file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    ANSWERS.write_text(json.dumps({"machine": machine(), "answers": answers()}, indent=1) + "\n")

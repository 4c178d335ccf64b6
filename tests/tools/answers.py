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
            found.update(repr(values.tolist()).encode())
        else:
            kind = values.astype("datetime64[ns]") if values.dtype.kind == "M" else values
            found.update(str(kind.dtype).encode() + np.ascontiguousarray(kind).tobytes())
    return found.hexdigest()[:16]


def table_digest(table):
    numbers = [
        column if column.dtype.kind in "biufM" else column.astype(str)
        for _, column in table.items()
    ]
    return digest(
        list(map(str, table.columns)), list(map(str, table.index)), *(c.to_numpy() for c in numbers)
    )


def answer(fit):
    """Hashes of one fit, and its summary in numbers, for machines on which the bits differ."""
    draws = {}
    for path, node in fit.idata.subtree_with_keys:
        dataset = node.to_dataset(inherit=False)
        names = sorted(dataset.variables)
        draws[path] = digest(*(part for name in names for part in (name, dataset[name].to_numpy())))
    summary = fit.summary()
    return {
        "draws": draws,
        "summary": table_digest(summary),
        "weights": table_digest(fit.weights()),
        "path": table_digest(fit.to_frame()),
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
    tables = [table_digest(fit.summary()) for fit in found.fits]
    return {"table": table_digest(found.table.drop(columns="seconds")), "fits": tables}


def checks():
    """Every check of a calibrated fit: tables and verdicts."""
    panel = bs.load_dataset("prop99").keep(["Utah", "Nevada", "Montana", "Ohio", "Texas", "Idaho"])
    fit = bs.SyntheticControl(calibrate=replace(PLAN, most=40)).fit(panel, **SIZES)
    found = bs.checks.run(fit, random_seed=5, progressbar=False)
    return {check.name: [check.verdict, table_digest(check.table)] for check in found}


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

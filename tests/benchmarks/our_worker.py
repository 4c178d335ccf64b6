"""One fresh process of ours: import, first fit, fit after the import, refits; prints one JSON line."""

import json
import sys
import time
import warnings

import numpy as np


def main(kind: str, refits: int) -> dict[str, object]:
    began = time.perf_counter()
    import bayes_synth as bs

    imported = time.perf_counter()
    panel = bs.load_dataset("prop99")
    same = bs.SyntheticControl(weights=bs.priors.Dirichlet(concentration=1.0), noise=bs.noise.IID(intercept=False))
    model = same if kind == "same" else bs.SyntheticControl()
    # What CausalPy imports on import, so that "warm" starts from the same point.
    import nutpie  # noqa: F401
    import pymc  # noqa: F401

    ready = time.perf_counter()
    fit = model.fit(panel, random_seed=1, progressbar=False)
    first = time.perf_counter()
    times, ess = [], []
    for seed in range(2, 2 + refits):
        start = time.perf_counter()
        fit = model.fit(panel, random_seed=seed, progressbar=False)
        times.append(time.perf_counter() - start)
        ess.append(least_ess(fit))
    return {
        "import": imported - began,
        "warm first fit": first - ready,
        "fresh process": first - began,
        "refit": float(np.median(times)),
        "ESS": float(np.median(ess)),
        "R-hat": float(fit.diagnostics()["r_hat"].max()),
        "divergences": fit.diagnostics().attrs["divergences"],
    }


def least_ess(fit) -> float:
    table = fit.diagnostics()
    return float(table.loc[table.index.str.startswith("weights"), "ess_bulk"].min())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))

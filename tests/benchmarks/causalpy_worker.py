"""One fresh process of CausalPy 0.9: import, first fit, refits; prints one JSON line. Runs in an environment of its own."""

import json
import sys
import time
import warnings


def main(data: str, refits: int) -> dict[str, object]:
    began = time.perf_counter()
    import causalpy as cp

    imported = time.perf_counter()
    import arviz as az
    import numpy as np
    import pandas as pd

    frame = pd.read_csv(data, index_col=0)
    donors = [column for column in frame.columns if column != "California"]

    def fit(seed: int):
        sampling = {"random_seed": seed, "progressbar": False}
        model = cp.pymc_models.WeightedSumFitter(sample_kwargs=sampling)
        return cp.SyntheticControl(frame.copy(), 1989, control_units=donors, treated_units=["California"], model=model)

    ready = time.perf_counter()
    result = fit(1)
    first = time.perf_counter()
    times, ess = [], []
    for seed in range(2, 2 + refits):
        start = time.perf_counter()
        result = fit(seed)
        times.append(time.perf_counter() - start)
        ess.append(float(az.ess(result.idata, var_names=["beta"])["beta"].min()))
    posterior = result.idata.posterior
    from importlib.metadata import version

    return {
        "import": imported - began,
        "warm first fit": first - ready,
        "fresh process": first - began,
        "refit": float(np.median(times)),
        "ESS": float(np.median(ess)),
        "R-hat": float(az.rhat(result.idata, var_names=["beta"])["beta"].max()),
        "divergences": int(result.idata.sample_stats["diverging"].sum()),
        "chains": int(posterior.sizes["chain"]),
        "draws": int(posterior.sizes["draw"]),
        "versions": {f"{name} (theirs)": version(name) for name in ("causalpy", "pymc", "numpy")},
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))

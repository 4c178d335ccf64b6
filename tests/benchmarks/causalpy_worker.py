"""CausalPy's side of ``vs_causalpy.py``: two fits in one process of CausalPy's environment."""

import time
from typing import Any

from common import answer, job


def main() -> None:
    """Import, fit, fit again; the second fit's draws go into a file."""
    import pandas as pd

    task, clock = job(), time.perf_counter()
    import causalpy as cp

    imported = time.perf_counter() - clock
    wide = pd.read_csv(task["data"], index_col=0)
    donors = [unit for unit in wide if unit != task["treated"]]

    def fit(seed: int) -> tuple[Any, float]:
        began = time.perf_counter()
        sample_kwargs = {"progressbar": False, "random_seed": seed}
        result = cp.SyntheticControl(
            wide.copy(),
            task["start"],
            control_units=donors,
            treated_units=[task["treated"]],
            model=cp.pymc_models.WeightedSumFitter(sample_kwargs=sample_kwargs),
        )
        return result, time.perf_counter() - began

    _, first = fit(task["seed"])
    fresh = time.time() - task["began"]
    result, again = fit(task["seed"] + 1)
    report(task, result, times={"import": imported, "fresh": fresh, "first": first, "refit": again})


def report(task: dict[str, Any], result: Any, *, times: dict[str, float]) -> None:
    """Draws as arrays ``(chain, draw, quantity)``, everything else as JSON."""
    from importlib.metadata import version

    import numpy as np
    import pytensor

    posterior = result.idata.posterior
    average = result.post_impact.isel(treated_units=0).mean("obs_ind").transpose("chain", "draw")
    np.savez(
        task["out"],
        weights=posterior["beta"].isel(treated_units=0).transpose("chain", "draw", ...).to_numpy(),
        noise=posterior["y_hat_sigma"].transpose("chain", "draw", ...).to_numpy(),
        average=average.to_numpy()[..., None],
    )
    sizes = {name: posterior.sizes[name] for name in ("chain", "draw")}
    answer(
        times=times,
        divergences=int(result.idata.sample_stats["diverging"].sum()),
        chains=sizes["chain"],
        draws=sizes["draw"],
        tune=int(posterior.attrs["tuning_steps"]),
        versions={name: version(name) for name in ("causalpy", "pymc", "pytensor", "numpy")},
        compiler=bool(pytensor.config.cxx),
    )


if __name__ == "__main__":
    main()

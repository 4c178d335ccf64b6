"""CausalPy's side of ``placebos_vs_causalpy.py``: its PlaceboInSpace, in its own environment."""

import time

from common import answer, job


def main() -> None:
    """Every donor as if treated; the seconds the check took, and how many refits gave an answer."""
    import causalpy as cp
    import pandas as pd
    from causalpy.pipeline import PipelineContext

    task = job()
    wide = pd.read_csv(task["data"], index_col=0)
    donors = [unit for unit in wide if unit != task["treated"]]
    model = cp.pymc_models.WeightedSumFitter(
        sample_kwargs={"progressbar": False, "random_seed": task["seed"]}
    )
    method = cp.SyntheticControl
    config = {
        "treatment_time": task["start"],
        "model": model,
        "control_units": donors,
        "treated_units": [task["treated"]],
    }
    fit = method(wide.copy(), **config)
    began = time.perf_counter()
    context = PipelineContext(data=wide, experiment_config={"method": method, **config})
    table = cp.checks.PlaceboInSpace().run(fit, context).table
    errors = table["error"].notna().sum() if "error" in table else 0
    answer(
        seconds=time.perf_counter() - began, refits=len(table) - int(errors), version=cp.__version__
    )


if __name__ == "__main__":
    main()

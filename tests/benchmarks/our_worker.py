"""Our side of ``vs_causalpy.py``: one process, a first fit and refits."""

import statistics
import time
from typing import TYPE_CHECKING, Any

from common import answer, job

if TYPE_CHECKING:
    import bayes_synth as bs


REFITS = 5
"""Refits are short, so their median is taken."""


def main() -> None:
    """Import everything that the first fit needs, fit, refit; the first refit's draws go into a
    file.
    """
    task, clock = job(), time.perf_counter()
    import bayes_synth as bs

    imported = time.perf_counter() - clock
    import bayes_synth.fitting.fit_panel
    import bayes_synth.sampling.slice

    _ = bs.Fit
    panel = bs.load_dataset("prop99")
    model = same_model(panel) if task["model"] == "same" else bs.SyntheticControl(calibrate=False)

    def fit(seed: int) -> tuple["bs.Fit", float]:
        began = time.perf_counter()
        result = model.fit(panel, random_seed=seed, progressbar=False, **task["sampling"])
        return result, time.perf_counter() - began

    _, first = fit(task["seed"])
    fresh = time.time() - task["began"]
    refits = [fit(task["seed"] + i) for i in range(1, REFITS + 1)]
    again = statistics.median(seconds for _, seconds in refits)
    report(
        task,
        refits[0][0],
        times={"import": imported, "fresh": fresh, "first": first, "refit": again},
    )


def same_model(panel: "bs.Panel") -> "bs.SyntheticControl":
    """CausalPy's model to the letter: flat prior, no intercept, noise ~ HalfNormal(1) in outcome
    units.
    """
    import bayes_synth as bs
    from bayes_synth.model.inputs import typical_step

    step = typical_step(panel.treated_outcome.sel(time=panel.pre.to_numpy()).to_numpy())
    noise = bs.noise.IID(bs.priors.HalfNormal(1 / step), intercept=False)
    return bs.SyntheticControl(
        weights=bs.priors.Dirichlet(concentration=1.0), noise=noise, calibrate=False
    )


def report(task: dict[str, Any], fit: "bs.Fit", *, times: dict[str, float]) -> None:
    """Draws as arrays ``(chain, draw, quantity)``, everything else as JSON."""
    import numpy as np

    posterior = fit.idata["posterior"].to_dataset()
    np.savez(
        task["out"],
        weights=posterior["weights"].transpose("chain", "draw", "donor").to_numpy(),
        noise=np.stack(
            [posterior[name].to_numpy() for name in fit.model.noise.parameters], axis=-1
        ),
        average=fit.effect("average").draws.to_numpy()[..., None],
    )
    answer(
        times=times,
        divergences=int(fit.idata["sample_stats"]["diverging"].sum()),
        chains=posterior.sizes["chain"],
        draws=posterior.sizes["draw"],
        tune=task["sampling"]["tune"],
    )


if __name__ == "__main__":
    main()

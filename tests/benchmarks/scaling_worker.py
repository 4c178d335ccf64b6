"""One cell of ``scaling.py``: one fit of the default model to a simulated panel, in its own
process.
"""

import resource
import sys
import time

from common import answer, job


def main() -> None:
    """Import everything first, so that times are the fit's and the memory before it is known."""
    task = job()
    import bayes_synth as bs
    import bayes_synth.fitting.fit_panel
    import bayes_synth.sampling.slice

    _ = bs.Fit
    size = {name: task[name] for name in ("donors", "pre", "post")}
    panel = bs.simulate(**size, active=4, noise=1.0, drift=0.3, random_seed=task["seed"]).panel
    before, began = peak(), time.perf_counter()
    fit = bs.SyntheticControl(calibrate=False).fit(
        panel, random_seed=task["seed"], progressbar=False, **task["sampling"]
    )
    seconds = time.perf_counter() - began
    compiling = fit.record.compile_seconds
    after = peak()
    checks = fit.diagnostics()
    weights = checks[checks.index.str.startswith("weights[")]
    answer(
        compile=compiling,
        sample=seconds - compiling,
        before=before,
        peak=after,
        ess=float(weights["ess_bulk"].min()),
        r_hat=float(weights["r_hat"].max()),
        noise_ess=float(checks.loc[list(fit.model.noise.parameters), "ess_bulk"].min()),
        effect_ess=float(checks.loc["average effect", "ess_bulk"]),
        effect_r_hat=float(checks.loc["average effect", "r_hat"]),
        divergences=int(fit.idata["sample_stats"]["diverging"].sum()),
        ok=str(fit.ok),
    )


def peak() -> float:
    """Largest resident memory of this process, in MB (Linux counts in kB, macOS in bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1e6 if sys.platform == "darwin" else 1e3
    )


if __name__ == "__main__":
    main()

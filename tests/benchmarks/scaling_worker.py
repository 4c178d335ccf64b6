"""One size in one fresh process: time, memory and effective draws; prints one JSON line."""

import json
import resource
import sys
import time
import warnings

import bayes_synth as bs


def main(donors: int, pre: int) -> dict[str, object]:
    import nutpie  # noqa: F401
    import pymc  # noqa: F401

    panel = bs.simulate(donors=donors, pre=pre, post=20, noise=1.0, drift=0.3, random_seed=1).panel
    model = bs.SyntheticControl()
    start = time.perf_counter()
    model.fit(panel, draws=50, tune=50, chains=1, random_seed=1, progressbar=False)
    compiled = time.perf_counter()
    fit = model.fit(panel, random_seed=1, progressbar=False)
    done = time.perf_counter()
    checks = fit.diagnostics()
    weights = checks[checks.index.str.startswith("weights")]
    return {
        "J": donors,
        "T": pre,
        "compile and tiny fit, s": f"{compiled - start:.1f}",
        "fit, s": f"{done - compiled:.2f}",
        "memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "ESS of the average effect": f"{checks.loc['average effect', 'ess_bulk']:.0f}",
        "least ESS of s, q": f"{checks.loc[['s', 'q'], 'ess_bulk'].min():.0f}",
        "least ESS of the weights": f"{weights['ess_bulk'].min():.0f}",
        "largest R-hat": f"{checks['r_hat'].max():.3f}",
        "divergences": checks.attrs["divergences"],
        "ok": fit.ok,
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))

"""Times sweeps of the slice sampler for ``columns_cost.py``, in the environment of one checkout.

A line on the standard input with a number of columns and a seed is answered by the processor time
of one sweep, in microseconds.
"""

import sys
import time
from typing import Any

import common  # noqa: F401  # isort: skip  # before numba

import numpy as np

from bayes_synth.noise import LocalLevel

try:
    from bayes_synth.sampling.regression import regression
    from bayes_synth.sampling.slice_kernel import advance, start
except ImportError:  # before the package had wings
    from bayes_synth.pairs import advance, regression, start  # type: ignore

PERIODS, DONORS, PERIOD = 150, 38, 24
TUNE, SWEEPS = 300, 1000


def process(count: int) -> Any:
    """Return noise whose level wanders, with this many columns of a Fourier calendar."""
    if not count:
        return LocalLevel()
    from bayes_synth.noise.columns import WithColumns

    angles = 2 * np.pi * np.outer(np.arange(PERIODS), np.arange(1, count // 2 + 1)) / PERIOD
    return WithColumns(LocalLevel(), np.hstack([np.cos(angles), np.sin(angles)]))


def model(count: int) -> Any:
    """Return the regression of a simulated panel, the same for any number of columns."""
    rng, noise = np.random.default_rng(1), process(count)
    walks, errors = (
        rng.standard_normal((PERIODS, 3)).cumsum(0),
        rng.standard_normal((PERIODS, DONORS)),
    )
    donors = walks @ rng.uniform(0.2, 1.2, (3, DONORS)) + errors
    own = rng.standard_normal(PERIODS) + 0.3 * rng.standard_normal(PERIODS).cumsum()
    outcome = donors @ rng.dirichlet(np.full(DONORS, 0.1)) + own
    return regression(noise, noise.diagonal(PERIODS), 0.25, outcome, donors)


def microseconds(given: Any, seed: int) -> float:
    """Return the processor time of a sweep of a chain from this seed, its start not counted."""
    rng = np.random.default_rng(seed)
    state, seconds = start(given, rng), 0.0
    for draws in (TUNE, SWEEPS):
        arrays = np.empty((draws, DONORS)), np.empty((draws, 2)), np.empty(draws)
        began = time.process_time()
        advance(given, state, 1, rng, *arrays)
        seconds = time.process_time() - began
    return 1e6 * seconds / SWEEPS


if __name__ == "__main__":
    models: dict[int, Any] = {}
    for line in sys.stdin:
        count, seed = map(int, line.split())
        if count not in models:
            models[count] = model(count)
        print(microseconds(models[count], seed), flush=True)

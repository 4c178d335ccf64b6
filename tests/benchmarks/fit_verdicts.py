"""How often the fit verdict is right: donors that follow, donors that know nothing but a drift.

``python tests/benchmarks/fit_verdicts.py`` writes its table into ``docs/model.md``. Its thresholds
were set on seeds 0 to 39 and are judged on seeds 1000 to 1039.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from common import footer, table, write_between

import bayes_synth as bs

SIZE = {"draws": 150, "tune": 200, "chains": 2, "cores": 1, "progressbar": False}
WORDS = ("good", "fair", "poor")


def labelled(series: np.ndarray, pre: int) -> bs.Panel:
    """The first series is treated, the others are donors."""
    names = ["treated", *(f"d{j:02d}" for j in range(series.shape[1] - 1))]
    return bs.Panel.from_wide(pd.DataFrame(series, columns=names), treated="treated", start=pre)


def drifters(seed: int, donors: int, pre: int, post: int, drift: float = 0.5) -> bs.Panel:
    """Independent random walks with one common drift."""
    steps = np.random.default_rng(seed).standard_normal((pre + post, donors + 1))
    return labelled(100 + np.cumsum(drift + steps, 0), pre)


def alike(seed: int, donors: int, pre: int, post: int) -> bs.Panel:
    """One common walk and white noise: the plain mean of the donors is the truth."""
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.standard_normal(pre + post) + 0.3)
    levels = 100 + 5 * rng.standard_normal(donors + 1)
    noise = 0.5 * rng.standard_normal((pre + post, donors + 1))
    return labelled(levels + common[:, None] + noise, pre)


def clean(seed: int) -> bs.Panel:
    """The design of the page on checks, with weights on three donors."""
    return bs.simulate(donors=30, pre=40, post=10, factors=2, random_seed=seed).panel


DESIGNS: dict[str, Callable[[int], bs.Panel]] = {
    "donors that follow: three of 30 on two factors, 40 periods": clean,
    "donors that are all alike: 12, 30 periods": partial(alike, donors=12, pre=30, post=10),
    "walks with a common drift: 12, 30 periods": partial(drifters, donors=12, pre=30, post=10),
    "... 20, 20 periods, horizon 20": partial(drifters, donors=20, pre=20, post=20),
    "... 20, 60 periods, strong drift": partial(drifters, donors=20, pre=60, post=20, drift=2.0),
}


def words(make: Callable[[int], bs.Panel], seeds: range) -> tuple[Counter[str], Counter[str]]:
    """The verdicts, and what they were against a level without drift (good up to 0.75)."""
    now, before = [], []
    for seed in seeds:
        model = bs.SyntheticControl(calibrate=False)
        verdict = model.fit(make(seed), random_seed=seed, **SIZE).fit_verdict
        ratio = verdict.error / verdict.error_without
        now.append(verdict.word)
        before.append("good" if ratio <= 0.75 else "fair" if ratio < 1 else "poor")
    return Counter(now), Counter(before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--count", type=int, default=40)
    options = parser.parse_args()
    rows = []
    for design, make in DESIGNS.items():
        now, before = words(make, range(options.first, options.first + options.count))
        counts = {word: f"{now[word]} of {options.count}" for word in WORDS}
        rows.append({"design": design} | counts | {"good before": str(before["good"])})
    made = footer("uv run python tests/benchmarks/fit_verdicts.py")
    write_between("model.md", "verdicts", f"{table(rows)}\n\n{made}")


if __name__ == "__main__":
    main()

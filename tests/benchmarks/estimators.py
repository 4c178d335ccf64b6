"""Weights of Proposition 99 under two estimators, side by side, for the page on the model.

``uv run python tests/benchmarks/estimators.py``
"""

from common import footer, table, write_between

import bayes_synth as bs
from bayes_synth.results.effects import describe

MODELS = {
    "default: `LocalLevel()`": bs.SyntheticControl(),
    "classical: `IID(intercept=False)`": bs.SyntheticControl(noise=bs.noise.IID(intercept=False)),
}


def main() -> None:
    fits = {
        name: model.fit(bs.load_dataset("prop99"), random_seed=1, progressbar=False)
        for name, model in MODELS.items()
    }
    weights = {name: fit.weights()["mean"] for name, fit in fits.items()}
    donors = sorted(
        fits["default: `LocalLevel()`"].panel.donors,
        key=lambda d: -max(w[d] for w in weights.values()),
    )
    rows = [
        {"donor": d} | {name: f"{w[d]:.3f}" for name, w in weights.items()} for d in donors[:12]
    ]
    rows.append(
        {"donor": "26 others"}
        | {name: f"{w[donors[12:]].sum():.3f}" for name, w in weights.items()}
    )
    rows.append(
        {"donor": "average effect"}
        | {name: describe(fit.effect("average")) for name, fit in fits.items()}
    )
    rows.append(
        {"donor": "fit"} | {name: fit.diagnostics().attrs["fit"] for name, fit in fits.items()}
    )
    write_between(
        "model.md",
        "weights",
        f"{table(rows)}\n\n{footer('uv run python tests/benchmarks/estimators.py')}",
    )


if __name__ == "__main__":
    main()

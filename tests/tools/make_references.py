"""Write ``tests/files/references/*.json``: posteriors of four models that are written out here.

Nothing of the package's likelihoods, priors or forecasts takes part: panels are standardised here,
weights have PyMC's own Dirichlet and its transform, noise is a dense multivariate normal or written
out period by period, forecasts are conditionals of the dense normal. They are sampled, thinned and
checked as posteriordb asks of a reference posterior (stan-dev/posteriordb,
doc/REFERENCE_POSTERIOR_DEFINITION.md). ``python tests/tools/make_references.py [name ...]``.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from arviz_stats import bfmi, ess, mcse, rhat

import bayes_synth as bs
from bayes_synth.model.inputs import typical_step
from bayes_synth.noise import AR1, IID, LocalLevel

FOLDER = Path(__file__).parents[1] / "files" / "references"
FLOOR, NU = 1e-3, 4.0
CHAINS, TUNE, ADAPTATION, SEED = 10, 1000, "low_rank", 20260101
QUANTILES = {"q05": 0.05, "q50": 0.5, "q95": 0.95}
METHODS = {
    "mean": {},
    "sd": {},
    **{name: {"method": "quantile", "prob": prob} for name, prob in QUANTILES.items()},
}
FEW = ["Colorado", "Connecticut", "Idaho", "Montana", "Nebraska", "Nevada", "New Hampshire", "Utah"]
PACKAGES = ("pymc", "nutpie", "pytensor", "numpy", "arviz-stats")


class Data(NamedTuple):
    """A panel standardised: treated before ``start``, donors at all times, and the way back."""

    y: np.ndarray
    x: np.ndarray
    centre: float
    unit: float
    observed: np.ndarray
    back: Callable[[np.ndarray], np.ndarray]

    @property
    def pre(self) -> int:
        return len(self.y)

    @property
    def periods(self) -> int:
        return len(self.x)


Draws = Mapping[str, np.ndarray]
Forecast = Callable[[Data, Draws, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Case:
    """A panel, the library's model of it, and the same model and forecast in plain PyMC."""

    panel: Callable[[], bs.Panel]
    model: bs.SyntheticControl
    build: Callable[[Data], None]
    forecast: Forecast
    names: tuple[str, ...]
    thin: int
    kept: int = 1000
    accept: float = 0.99

    @property
    def log(self) -> bool:
        return self.model.scale == "log"


def standardised(panel: bs.Panel, log: bool) -> Data:
    forward, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
    outcome, pre = panel.treated_outcome.to_numpy(), len(panel.pre)
    treated, donors = forward(outcome[:pre]), forward(panel.donor_outcomes.to_numpy())
    unit = typical_step(treated)
    centre = treated.mean()
    return Data(
        (treated - centre) / unit, (donors - centre) / unit, centre, unit, outcome[pre:], back
    )


def sparse(data: Data) -> float:
    """Concentration at which four effective donors are expected, or half the donors and a half if
    those are fewer.
    """
    donors = data.x.shape[1]
    effective = min(4, (donors + 1) / 2)
    return (effective - 1) / (donors - effective)


def local_level(data: Data) -> None:
    """The default: four effective donors, a level that starts within four units and wanders."""
    import pymc as pm

    w = pm.Dirichlet("w", np.full(data.x.shape[1], sparse(data)))
    s, q = pm.HalfNormal("s", 1.0), pm.HalfNormal("q", 0.5)
    pm.MvNormal("y", data.x[: data.pre] @ w, cov=walk_and_noise(data.pre, s, q), observed=data.y)


def walk_and_noise(periods: int, s: Any, q: Any) -> Any:
    t = np.arange(1.0, periods + 1)
    return (s**2 + FLOOR**2) * np.eye(periods) + q**2 * np.minimum.outer(t, t) + 4.0**2


def autoregression(data: Data) -> None:
    """The stationary law of an autoregression around a free level, which first differences leave
    out.
    """
    import pymc as pm

    w = pm.Dirichlet("w", np.full(data.x.shape[1], sparse(data)))
    s, half = pm.HalfNormal("s", 1.0), pm.Beta("half", 3.0, 1.5)
    rho = pm.Deterministic("rho", 2 * half - 1)
    pm.MvNormal(
        "y",
        np.diff(data.x[: data.pre], axis=0) @ w,
        cov=steps(data.pre, s, rho),
        observed=np.diff(data.y),
    )


def steps(periods: int, s: Any, rho: Any) -> Any:
    """Covariance of an autoregression's first differences."""
    difference = np.diff(np.eye(periods), axis=0)
    return difference @ stationary(periods, s, rho) @ difference.T


def stationary(periods: int, s: Any, rho: Any) -> Any:
    t = np.arange(periods)
    # No float power: rho may be negative.
    return (s**2 + FLOOR**2) / (1 - rho**2) * rho ** np.abs(np.subtract.outer(t, t))


def independent(data: Data) -> None:
    """Levels matched under uniform weights."""
    import pymc as pm

    w, s = pm.Dirichlet("w", np.ones(data.x.shape[1])), pm.HalfNormal("s", 1.0)
    pm.Normal("y", data.x[: data.pre] @ w, (s**2 + FLOOR**2) ** 0.5, observed=data.y)


def student(data: Data) -> None:
    """The walk step by step and Student-t noise around it: no mixture of normals."""
    import pymc as pm

    w = pm.Dirichlet("w", np.full(data.x.shape[1], sparse(data)))
    s, q = pm.HalfNormal("s", 1.0), pm.HalfNormal("q", 0.5)
    start, steps = pm.Normal("start", 0, 4), pm.Normal("steps", 0, 1, shape=data.pre)
    walk = start + q * pm.math.cumsum(steps)
    pm.Deterministic("last", walk[-1])
    pm.StudentT(
        "y", NU, mu=data.x[: data.pre] @ w + walk, sigma=(s**2 + FLOOR**2) ** 0.5, observed=data.y
    )


def conditional(*names: str, covariance: Callable[..., Any], differences: bool = False) -> Forecast:
    """Forecast of a dense normal, or of its first differences: the future given the past, draw by
    draw.
    """

    def forecast(data: Data, draws: Draws, rng: np.random.Generator) -> np.ndarray:
        mean = draws["w"] @ data.x.T
        missed = data.y - mean[:, : data.pre]
        seen = np.diff(missed, axis=1) if differences else missed
        shocks = rng.standard_normal((len(mean), data.periods - data.pre))
        for i, shock in enumerate(shocks):
            dense, known = (
                covariance(data.periods, *(draws[name][i] for name in names)),
                seen.shape[1],
            )
            cross = dense[known:, :known]
            gain = np.linalg.solve(dense[:known, :known], cross.T).T
            ahead = (
                gain @ seen[i] + np.linalg.cholesky(dense[known:, known:] - gain @ cross.T) @ shock
            )
            mean[i, data.pre :] += missed[i, -1] + np.cumsum(ahead) if differences else ahead
        return mean[:, data.pre :]

    return forecast


def walk_on(data: Data, draws: Draws, rng: np.random.Generator) -> np.ndarray:
    shape = (len(draws["w"]), data.periods - data.pre)
    walk = draws["last"][:, None] + np.cumsum(
        draws["q"][:, None] * rng.standard_normal(shape), axis=1
    )
    noise = np.hypot(draws["s"], FLOOR)[:, None] * rng.standard_t(NU, shape)
    return draws["w"] @ data.x[data.pre :].T + walk + noise


@cache
def simulated() -> bs.Panel:
    """Six donors and two periods that lie far out."""
    panel = bs.simulate(donors=6, pre=20, post=10, effect=3.0, drift=0.5, random_seed=7).panel
    table = panel.outcomes.to_pandas()
    table.loc[[5, 14], "treated"] += [8.0, -6.0]
    return bs.Panel.from_wide(table, treated="treated", start=panel.start)


CASES = {
    "prop99_default": Case(
        lambda: bs.load_dataset("prop99").keep(FEW),
        bs.SyntheticControl(calibrate=False),
        local_level,
        conditional("s", "q", covariance=walk_and_noise),
        ("s", "q"),
        20,
        1000,
        0.99,
    ),
    "prop99_ar1": Case(
        lambda: bs.load_dataset("prop99").keep(FEW),
        bs.SyntheticControl(noise=AR1(), calibrate=False),
        autoregression,
        conditional("s", "rho", covariance=steps, differences=True),
        ("s", "rho"),
        20,
        1000,
        0.995,
    ),
    "castle_log_iid": Case(
        lambda: bs.load_dataset("castle"),
        bs.SyntheticControl(
            weights=bs.priors.Dirichlet(concentration=1.0),
            noise=IID(intercept=False),
            calibrate=False,
            scale="log",
        ),
        independent,
        conditional("s", covariance=lambda periods, s: (s**2 + FLOOR**2) * np.eye(periods)),
        ("s",),
        40,
    ),
    "simulated_student_t": Case(
        simulated,
        bs.SyntheticControl(noise=LocalLevel(degrees_of_freedom=NU), calibrate=False),
        student,
        walk_on,
        ("s", "q"),
        40,
    ),
}


def sampled(case: Case, data: Data) -> tuple[xr.Dataset, xr.Dataset, float]:
    """Thinned draws, the whole run's statistics, seconds of computing."""
    import nutpie
    import pymc as pm

    with pm.Model() as model:
        case.build(data)
    compiled = nutpie.compile_pymc_model(model)
    began = time.process_time()
    tree = nutpie.sample(
        compiled,
        draws=case.kept * case.thin,
        tune=TUNE,
        adaptation=ADAPTATION,
        chains=CHAINS,
        cores=1,
        seed=SEED,
        target_accept=case.accept,
        progress_bar=False,
        save_warmup=False,
    )
    seconds = time.process_time() - began
    return (
        tree["posterior"].to_dataset().isel(draw=slice(None, None, case.thin)),
        tree["sample_stats"].to_dataset(),
        seconds,
    )


def quantities(case: Case, panel: bs.Panel, data: Data, posterior: xr.Dataset) -> xr.Dataset:
    """Everything that is compared, in outcome units, dims ``(chain, draw)``."""
    shape = (CHAINS, case.kept)
    draws = {name: posterior[name].to_numpy().reshape(CHAINS * case.kept, -1) for name in posterior}
    draws |= {name: values[:, 0] for name, values in draws.items() if values.shape[1] == 1}
    path = data.back(
        data.centre + data.unit * case.forecast(data, draws, np.random.default_rng(SEED))
    )
    effect = data.observed - path
    units = {"rho": 1.0}
    found = {f"weight {donor}": draws["w"][:, j] for j, donor in enumerate(panel.donors)}
    found |= {"effective donors": 1 / np.square(draws["w"]).sum(1)}
    found |= {name: draws[name] * units.get(name, data.unit) for name in case.names}
    found |= {"average effect": effect.mean(1), "cumulative effect": effect.sum(1)}
    return xr.Dataset(
        {name: (("chain", "draw"), values.reshape(shape)) for name, values in found.items()}
    )


def statistics(draws: xr.Dataset) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean, standard deviation and quantiles of every variable, each with its Monte Carlo standard
    error.
    """
    values = {
        "mean": draws.mean(),
        "sd": draws.std(ddof=1),
        **{name: draws.quantile(prob) for name, prob in QUANTILES.items()},
    }
    errors = {name: mcse(draws, **{"method": name, **options}) for name, options in METHODS.items()}
    return {
        v: {name: (float(values[name][v]), float(errors[name][v])) for name in values}
        for v in draws
    }


def ess_bounds(size: int, compared: int) -> dict[str, tuple[float, float]]:
    """Bounds on the effective sample sizes of so many independent draws; 0.95 for all quantities
    together.
    """
    from scipy import stats

    rng = np.random.default_rng(1)
    noise = xr.Dataset(
        {
            f"{i}": (("chain", "draw"), rng.standard_normal((CHAINS, size // CHAINS)))
            for i in range(200)
        }
    )
    reach = stats.norm.ppf(1 - 0.05 / (2 * compared))
    found = {method: ess(noise, method=method).to_array().to_numpy() for method in ("bulk", "tail")}
    return {
        m: (float(v.mean() - reach * v.std()), float(v.mean() + reach * v.std()))
        for m, v in found.items()
    }


def checked(
    draws: xr.Dataset, stats: xr.Dataset
) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """The recipe's checks and their values, and each quantity's own R-hat and effective sizes."""
    whole = {
        "r_hat": rhat(draws),
        "ess_bulk": ess(draws, method="bulk"),
        "ess_tail": ess(draws, method="tail"),
    }
    each = {v: {name: float(found[v]) for name, found in whole.items()} for v in draws}
    lags = [
        abs(np.corrcoef((x[:, 1:]).ravel(), x[:, :-1].ravel())[0, 1])
        for x in (draws[v].to_numpy() for v in draws)
    ]
    size = draws.sizes["chain"] * draws.sizes["draw"]
    bounds = ess_bounds(size, 2 * len(each))
    energy = float(np.min(bfmi(stats)["energy"]))
    found = {
        "draws": size,
        "divergences": int(stats["diverging"].sum()),
        "largest r_hat": max(row["r_hat"] for row in each.values()),
        "smallest e_fmi": energy,
        "largest lag-1 autocorrelation": float(max(lags)),
    }
    found |= {
        f"{m} ess": [f(row[f"ess_{m}"] for row in each.values()) for f in (min, max)]
        for m in bounds
    }
    found |= {f"{m} ess bounds": list(b) for m, b in bounds.items()}
    return found, each


def passes(found: Mapping[str, Any]) -> bool:
    """Whether stored draws meet posteriordb's definition."""
    inside = all(
        low <= found[f"{m} ess"][0] and found[f"{m} ess"][1] <= high
        for m in ("bulk", "tail")
        for low, high in [found[f"{m} ess bounds"]]
    )
    return bool(
        inside
        and found["divergences"] == 0
        and found["largest r_hat"] < 1.01
        and found["smallest e_fmi"] > 0.2
        and found["largest lag-1 autocorrelation"] < 4 / found["draws"] ** 0.5
    )


def reference(name: str) -> dict[str, Any]:
    """The whole file of one case."""
    case = CASES[name]
    panel = case.panel()
    data = standardised(panel, case.log)
    posterior, stats, seconds = sampled(case, data)
    draws = quantities(case, panel, data, posterior)
    found, each = checked(draws, stats)
    rows = {
        v: {**{n: list(pair) for n, pair in row.items()}, **each[v]}
        for v, row in statistics(draws).items()
    }
    return {
        "model": name,
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"python": sys.version.split()[0], **{p: version(p) for p in PACKAGES}},
        "settings": {
            "sampler": "nutpie",
            "chains": CHAINS,
            "tune": TUNE,
            "draws per chain before thinning": case.kept * case.thin,
            "thin": case.thin,
            "target_accept": case.accept,
            "adaptation": ADAPTATION,
            "seed": SEED,
        },
        "seconds": round(seconds, 1),
        "mean steps per draw": round(float(stats["n_steps"].mean()), 1),
        "checks": found,
        "passes": passes(found),
        "quantities": rows,
    }


def rounded(value: Any) -> Any:
    """Six significant digits, all the way down."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or CASES:
        found = reference(name)
        sys.stdout.write(f"{name}: {found['seconds']} s, {found['checks']}\n")
        if not found["passes"]:
            raise SystemExit(f"{name} does not meet the definition: thin more.")
        (FOLDER / f"{name}.json").write_text(json.dumps(rounded(found), indent=1) + "\n")

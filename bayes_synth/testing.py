"""Make fake panels and fits with a known truth, in milliseconds: for our tests and for yours.

A fake fit has the groups, labels and measures of a real one; its draws scatter around the truth and
come from numpy, not from a sampler.
"""

import numpy as np
import pandas as pd
import xarray as xr

from bayes_synth.api import Fit, SyntheticControl
from bayes_synth.data.panel import Panel
from bayes_synth.fitting.fit_panel import Prepared, recorded
from bayes_synth.model.calibration import COLUMNS, Calibration
from bayes_synth.model.graph import MISSING_RESIDUAL
from bayes_synth.model.problem import Problem
from bayes_synth.noise.base import MIXING
from bayes_synth.results.calibrated import Placebos
from bayes_synth.sampling.regression import COEFFICIENTS, OUTCOME_SDS
from bayes_synth.sampling.settings import Settings, Size
from bayes_synth.sampling.task import Sampled

__all__ = ["fake_fit", "fake_panel", "fake_placebos"]

TRUTH = (0.6, 0.4)
"""Weights of the first two donors of a fake panel; all others are zero."""


def fake_panel(
    *,
    donors: int = 6,
    pre: int = 20,
    post: int = 8,
    dates: bool = False,
    effect: float = 0.0,
    random_seed: int = 0,
) -> Panel:
    """Make a panel whose treated unit is 0.6 of one donor, 0.4 of another and a little noise.

    Parameters
    ----------
    donors
        Number of donors, at least 2; they are random walks around 100.
    pre, post
        Number of periods before and from ``start`` on.
    dates
        Days from 2024-01-01 on instead of the years from 2000 on.
    effect
        Added to the treated unit in every post-period.
    random_seed
        Equal seeds give equal panels.

    Returns
    -------
    Panel
        Treated unit ``treated``, donors ``donor_00``, ``donor_01`` and so on; the first two have
        the weights.

    Examples
    --------
    >>> bs.testing.fake_panel(donors=3, effect=2.0).donors
    ('donor_00', 'donor_01', 'donor_02')
    """
    rng = np.random.default_rng(random_seed)
    walks = 100 + np.cumsum(rng.standard_normal((pre + post, donors)), axis=0)
    treated = walks[:, :2] @ np.array(TRUTH) + 0.1 * rng.standard_normal(pre + post)
    treated[pre:] += effect
    times = (
        pd.date_range("2024-01-01", periods=pre + post)
        if dates
        else pd.RangeIndex(2000, 2000 + pre + post)
    )
    table = pd.DataFrame(walks, index=times, columns=[f"donor_{j:02d}" for j in range(donors)])
    table = table.assign(treated=treated).sort_index(axis=1)
    return Panel(
        xr.DataArray(table, dims=("time", "unit")), ("treated",), times[pre], outcome="sales"
    )


def fake_fit(
    *,
    panel: Panel | None = None,
    model: SyntheticControl | None = None,
    draws: int = 250,
    chains: int = 4,
    divergences: int = 0,
    placebos: Placebos | None = None,
    random_seed: int = 0,
) -> Fit:
    """Make a fit whose draws scatter around weights of 0.6 and 0.4 on the first two donors.

    Parameters
    ----------
    panel, model
        The data and the specification; by default :func:`fake_panel` and the default model.
    draws, chains
        Draws per chain, and chains.
    divergences
        Number of transitions marked as divergent.
    placebos
        Answers of the donors' refits, such as :func:`fake_placebos`; without them the fit is not
        calibrated.
    random_seed
        Equal seeds give equal fits.

    Returns
    -------
    Fit
        Groups, labels and measures as :meth:`bayes_synth.SyntheticControl.fit` gives them.

    Examples
    --------
    >>> fit = bs.testing.fake_fit(panel=bs.testing.fake_panel(effect=3.0))
    >>> round(fit.effect("average").median())
    3
    """
    panel, model = panel or fake_panel(), model or SyntheticControl()
    rng = np.random.default_rng(random_seed)
    settings = Settings.checked(
        Size(draws, 1, chains, 0.9), sampler="nutpie", cores=1, random_seed=random_seed
    )
    sample = {"chain": np.arange(chains), "draw": np.arange(draws)}
    centre = np.append(TRUTH, np.zeros(len(panel.donors)))[: len(panel.donors)]
    weights = rng.dirichlet(1e-3 + 200 * centre / centre.sum(), size=(chains, draws))
    noise = {name: 0.3 + 0.1 * rng.random((chains, draws)) for name in model.process.parameters}
    posterior = xr.Dataset({"weights": (("chain", "draw", "donor"), weights)}, coords=sample)
    posterior = posterior.assign(
        {name: (("chain", "draw"), value) for name, value in noise.items()}
    )
    if model.process.heavy:
        posterior[MIXING] = (("chain", "draw", "pre"), np.ones((chains, draws, len(panel.pre))))
    if missing := int((panel.missing_times < panel.start).sum()):
        residual = 0.3 * rng.standard_normal((chains, draws, missing))
        posterior[MISSING_RESIDUAL] = (("chain", "draw", "missing"), residual)
    if panel.covariates is not None and model.covariates is not None:
        scaled = 0.1 * rng.standard_normal((chains, draws, len(panel.covariates.names)))
        posterior[COEFFICIENTS] = (("chain", "draw", "covariate"), scaled)
    if panel.auxiliary is not None:
        sds = 0.3 + 0.1 * rng.random((chains, draws, len(panel.auxiliary.names), 2))
        posterior[OUTCOME_SDS] = (("chain", "draw", "auxiliary", "sd"), sds)
    diverging = (np.arange(chains * draws) < divergences).reshape(chains, draws)
    stats = xr.Dataset({"diverging": (("chain", "draw"), diverging)}, coords=sample)
    stats["energy"] = (("chain", "draw"), rng.standard_normal((chains, draws)))
    sampled = Sampled(posterior, stats, 0.0, 0.0)
    idata = Prepared(Problem.of(model, panel), placebos).assemble(settings, sampled, rng)
    return Fit(panel, model, idata, recorded(settings, sampled))


def fake_placebos(panel: Panel, *, kappa: float = 1.0, random_seed: int = 0) -> Placebos:
    """Make forecast errors of every donor as if treated: normal, with sd ``kappa``.

    Parameters
    ----------
    panel
        The panel whose donors they are.
    kappa
        How much larger the errors are than their predicted sd, which is 1.
    random_seed
        Equal seeds give equal placebos.

    Returns
    -------
    Placebos
        One row per donor, all of them usable.

    Examples
    --------
    >>> placebos = bs.testing.fake_placebos(panel, kappa=1.5)
    >>> bs.testing.fake_fit(panel=panel, placebos=placebos).alarms
    ()
    """
    rng = np.random.default_rng(random_seed)
    donors = pd.Index(panel.donors, name="donor", dtype=object)
    table = pd.DataFrame(
        {
            "error": kappa * rng.standard_normal(len(donors)),
            "sd": 1.0,
            "doubt": 0.3,
            "deviation": kappa * np.abs(rng.standard_normal(len(donors))),
            "deviation_sd": 1.0,
            "periods": 3.0,
            "step": 1.0,
        },
        index=donors,
    )
    table = Calibration().scored(table).assign(divergences=0, ok=True)
    gaps = pd.DataFrame(
        rng.standard_normal((len(donors), len(panel.times))), index=donors, columns=panel.times
    )
    gaps[list(panel.post)] = gaps[list(panel.post)].add(table["error"], axis=0)
    return Placebos(table[list(COLUMNS)], (), gaps)


def __dir__() -> list[str]:
    return sorted(__all__)

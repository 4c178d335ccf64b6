"""Draw the coefficients of covariates between the moves of the slice sampler: exact Gibbs steps.

Given weights and the noise's sds the coefficients are those of a normal regression of the residual
on the covariates' own residuals; given the coefficients the weights have the regression that they
have without covariates, on series that lose what the coefficients explain.
``docs/derivations.md``, section 7.
"""

import numpy as np

from bayes_synth.sampling.regression import Regression
from bayes_synth.sampling.slice_kernel import advance, write_residual
from bayes_synth.sampling.slice_products import compiled, inner
from bayes_synth.sampling.slice_whitening import factorise, whiten

__all__ = ["advance_with_covariates"]


@compiled()
def advance_with_covariates(  # type: ignore[no-untyped-def]
    regression, covariates, state, coefficients, sweeps, rng, draws
):
    """Make as many draws as ``draws`` has rows, as :func:`advance` does without covariates.

    Parameters
    ----------
    regression, covariates
        The model without its covariates, and these.
    state, coefficients
        Where the chain is, the second with shape ``(covariate,)``; both are changed.
    sweeps, rng
        As for :func:`bayes_synth.sampling.slice_kernel.advance`.
    draws
        Filled: ``weights``, ``sds`` and ``densities`` as there, and ``coefficients``,
        shape ``(draws, covariate)``.
    """
    given = Regression(
        regression.outcome.copy(),
        regression.donors.copy(),
        regression.concentration,
        regression.noise,
        regression.prior_sd,
        regression.known,
        regression.known_donors,
        regression.limits,
        None,
        None,
    )
    weights, sds, densities = draws.weights, draws.sds, draws.densities
    for draw in range(weights.shape[0]):
        row = slice(draw, draw + 1)
        for _ in range(sweeps):
            _draw_coefficients(regression, covariates, state, coefficients, rng)
            _subtract_explained(regression, covariates, coefficients, given)
            advance(given, state, 1, rng, weights[row], sds[row], densities[row])
        densities[draw] -= 0.5 * inner(coefficients, coefficients)
        draws.coefficients[draw] = coefficients


@compiled()
def _draw_coefficients(  # type: ignore[no-untyped-def]
    regression, covariates, state, coefficients, rng
):
    """Draw the coefficients given weights and sds; level, slope and columns are integrated out."""
    count, periods = covariates.treated.shape
    residuals = np.empty((count + 1, periods))
    write_residual(regression.outcome, regression.donors, state, residuals[count])
    for k in range(count):
        write_residual(covariates.treated[k], covariates.donors[k], state, residuals[k])
    white = np.empty((count + 1, periods + regression.noise.precisions.size))
    whiten(residuals, regression.noise, state.log_sds, white)
    precision = np.eye(count)
    for k in range(count):
        for m in range(k + 1):
            precision[k, m] += inner(white[k], white[m])
    inverse = factorise(precision)
    shocked = np.empty(count)
    for k in range(count):
        shocked[k] = rng.standard_normal()
        for m in range(k + 1):
            shocked[k] += inverse[m, k] * inner(white[m], white[count])
    for k in range(count):
        coefficients[k] = inner(inverse[k, k:], shocked[k:])


@compiled()
def _subtract_explained(  # type: ignore[no-untyped-def]
    regression, covariates, coefficients, given
):
    """Write the regression's series, less what the coefficients explain, into ``given``."""
    donors, periods = regression.donors.shape
    given.outcome[:] = regression.outcome
    for k in range(coefficients.size):
        for t in range(periods):
            given.outcome[t] -= coefficients[k] * covariates.treated[k, t]
    for j in range(donors):
        for t in range(periods):
            given.donors[j, t] = regression.donors[j, t]
        for k in range(coefficients.size):
            for t in range(periods):
                given.donors[j, t] -= coefficients[k] * covariates.donors[k, j, t]

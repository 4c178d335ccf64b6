"""Put labels on arrays of draws: chains and draws, donors, times, the parts of a calendar."""

from typing import final

import numpy as np
import xarray as xr

from bayes_synth.model.problem import Problem
from bayes_synth.words import SAMPLE_DIMS

__all__ = ["Layout", "labelled_path"]


@final
class Layout:
    """Label arrays of draws of one problem."""

    def __init__(self, shape: tuple[int, ...], problem: Problem) -> None:
        panel = problem.panel
        self._inputs, self._calendar = problem.inputs, problem.calendar
        self._covariates = problem.covariates
        self._shape = shape
        self._sample = {dim: np.arange(size) for dim, size in zip(SAMPLE_DIMS, shape, strict=True)}
        self._donors = np.array(panel.donors, dtype=object)
        self._times = {"pre": panel.pre.to_numpy(), "post": panel.post.to_numpy()}

    def scalar(self, values: np.ndarray) -> xr.DataArray:
        """Label one number per draw."""
        return xr.DataArray(values.reshape(self._shape), dims=SAMPLE_DIMS, coords=self._sample)

    def donor(self, values: np.ndarray) -> xr.DataArray:
        """Label one number per draw and donor."""
        coords = {**self._sample, "donor": self._donors}
        return xr.DataArray(
            values.reshape(*self._shape, -1), dims=(*SAMPLE_DIMS, "donor"), coords=coords
        )

    def coefficients(self, scaled: np.ndarray) -> xr.DataArray:
        """Label the covariates' coefficients, in outcome units per unit of the covariate."""
        assert self._covariates is not None
        names = np.array(self._covariates.names, dtype=object)
        values = scaled * (self._inputs.step / self._covariates.per_step)
        return xr.DataArray(
            values.reshape(*self._shape, -1),
            dims=(*SAMPLE_DIMS, "covariate"),
            coords={**self._sample, "covariate": names},
        )

    def seasonal(self, coefficients: np.ndarray) -> xr.DataArray:
        """Turn coefficients of the calendar into deviations, one per label, in outcome units."""
        labels = np.array(self._calendar.labels, dtype=object)
        deviations = coefficients @ self._calendar.basis.T * self._inputs.step
        return xr.DataArray(
            deviations.reshape(*self._shape, -1),
            dims=(*SAMPLE_DIMS, "calendar"),
            coords={**self._sample, "calendar": labels},
        )

    def timed(self, values: np.ndarray, half: str) -> xr.DataArray:
        """Label one number per draw and time of this half, ``"pre"`` or ``"post"``."""
        coords = {**self._sample, "time": self._times[half]}
        return xr.DataArray(
            values.reshape(*self._shape, -1), dims=(*SAMPLE_DIMS, "time"), coords=coords
        )

    def outcome(self, values: np.ndarray, half: str, name: str) -> xr.Dataset:
        """Bring paths to outcome units and label them, as a dataset with this name."""
        return xr.Dataset({name: self.timed(self._inputs.restore(values), half)})


def labelled_path(path: np.ndarray, times: np.ndarray) -> xr.DataArray:
    """Label a path, dims ``(chain, draw, time)``."""
    sample = {dim: np.arange(size) for dim, size in zip(SAMPLE_DIMS, path.shape[:2], strict=True)}
    return xr.DataArray(path, dims=(*SAMPLE_DIMS, "time"), coords={**sample, "time": times})

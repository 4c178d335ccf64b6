"""A fit to be made: small, frozen, and known by its content."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

import numpy as np

from bayes_synth.api import SyntheticControl
from bayes_synth.data.panel import Panel
from bayes_synth.errors import OptionError, PriorError
from bayes_synth.results.convergence import FIT, Standard
from bayes_synth.sampling.settings import Settings, Size, entropy
from bayes_synth.storage.digests import fingerprint
from bayes_synth.storage.specs import to_spec
from bayes_synth.words import short

__all__ = ["FitTask"]

CONTENT = ("draws", "tune", "chains", "target_accept", "sampler", "largest_r_hat", "least_ess")


@final
@dataclass(frozen=True, eq=False)
class FitTask:
    """One fit of :func:`bayes_synth.fit_many`.

    Parameters
    ----------
    panel, model
        As in :meth:`bayes_synth.SyntheticControl.fit`.
    labels
        What the task is called in tables, by name of the column: ``{"donor": "Utah"}``. They change no answer.
    draws, tune, chains, target_accept, sampler
        As in :meth:`bayes_synth.SyntheticControl.fit`.
    largest_r_hat, least_ess
        What passes as converged, for the average effect and the noise's parameters; the defaults are those of a fit.

    Attributes
    ----------
    key : str
        Digest of all that decides the answer: the panel's numbers, labels and start, the model, and the sizes.

    Raises
    ------
    PriorError
        O001 for what is no panel or no model, O006 for a prior of your own that two processes would not name alike, O010 for
        sizes that make no sense.
    """

    panel: Panel
    model: SyntheticControl = SyntheticControl()
    labels: Mapping[str, Any] | tuple[tuple[str, Any], ...] = ()
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    target_accept: float = 0.99
    sampler: Literal["auto", "slice", "nutpie", "pymc"] = "auto"
    largest_r_hat: float = FIT.r_hat
    least_ess: float = FIT.ess
    key: str = field(init=False)

    def __post_init__(self) -> None:
        for name, kind in {"panel": Panel, "model": SyntheticControl}.items():
            if not isinstance(getattr(self, name), kind):
                found = type(getattr(self, name)).__name__
                raise OptionError(
                    "O001", f"{name} of a FitTask must be a bs.{kind.__name__}, got {found}."
                )
        object.__setattr__(self, "labels", tuple(dict(self.labels).items()))
        self.settings(0)
        content = self._content()
        if " at 0x" in content:
            raise PriorError(
                "O006",
                "a prior of your own prints as an address in memory, so two processes would not know it as the same: "
                "give its class a __repr__ that names its numbers.",
            )
        object.__setattr__(self, "key", hashlib.sha256(content.encode()).hexdigest())

    def _content(self) -> str:
        sizes = [getattr(self, name) for name in CONTENT]
        return json.dumps(
            [
                fingerprint(self.panel),
                short(self.panel.start),
                to_spec(self.model),
                to_spec(tuple(sizes)),
            ]
        )

    @property
    def size(self) -> Size:
        """How much the fit samples."""
        return Size(self.draws, self.tune, self.chains, self.target_accept)

    @property
    def standard(self) -> Standard:
        """What passes as converged."""
        return Standard(self.largest_r_hat, self.least_ess)

    def seed(self, random_seed: int) -> int:
        """The fit's own seed: it depends on the task's content and the batch's ``random_seed``, on no other task."""
        return entropy(np.random.SeedSequence([random_seed, int(self.key, 16)]))

    def settings(self, seed: int) -> Settings:
        """How to sample with this ``seed``: on one core, as many tasks run at a time."""
        return Settings.checked(self.size, sampler=self.sampler, cores=1, random_seed=seed)

"""Say what a study is to the model that fits it: the one type that stands in for several panels.

The study itself stands above everything that makes a fit, so it is given the model instead of the
model knowing it.
"""

from abc import ABC, abstractmethod
from typing import Any

__all__ = ["AbstractStudy"]


class AbstractStudy[Joint](ABC):
    """Several treated units that are fitted jointly, such as :class:`bayes_synth.Study`.

    ``Joint`` is what its fit is.
    """

    @abstractmethod
    def fitted_by(self, model: Any, settings: Any, *, strict: bool) -> Joint:
        """Fit every unit with this model, and join the fits; see ``SyntheticControl.fit``."""

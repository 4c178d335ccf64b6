"""Say what a study is to the model that fits it: the one type that stands in for several panels.

The study itself stands above everything that makes a fit, so it is given the model instead of the
model knowing it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["NOTHING_ASKED", "AbstractStudy"]

NOTHING_ASKED: Mapping[str, Any] = MappingProxyType({})
"""Options of a fit of a study, where there are none."""


class AbstractStudy[Joint](ABC):
    """Several treated units that are fitted jointly, such as :class:`bayes_synth.Study`.

    ``Joint`` is what its fit is.
    """

    @abstractmethod
    def fitted_by(
        self,
        model: Any,
        settings: Any,
        *,
        strict: bool,
        asked: Mapping[str, Any] = NOTHING_ASKED,
    ) -> Joint:
        """Fit every unit with this model, and join the fits; see ``SyntheticControl.fit``."""

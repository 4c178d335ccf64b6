"""Say which units are donors of which treated unit, where these are not all untreated ones."""

from collections.abc import Mapping, Sequence
from typing import Any

from bayes_synth.data.labels import near_miss
from bayes_synth.errors import DesignError
from bayes_synth.words import listed, texts

__all__ = ["pools_of", "require_pools"]


def pools_of(
    donors: Mapping[Any, Sequence[Any]] | None, treated: Sequence[str], untreated: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return donors by treated unit as sorted text; empty where all untreated units are donors.

    Raises
    ------
    DesignError
        As :func:`require_pools`; D069 for anything but a mapping.
    """
    if donors is None:
        return {}
    if not isinstance(donors, Mapping):
        raise DesignError(
            "D069",
            f"donors must map treated units to their donors, got {type(donors).__name__}; to use "
            "the same donors for all, drop the other units from the data.",
        )
    pools = {str(unit): tuple(sorted(texts(labels))) for unit, labels in donors.items()}
    require_pools(pools, treated, untreated)
    return pools


def require_pools(
    pools: Mapping[str, Sequence[str]], treated: Sequence[str], untreated: Sequence[str]
) -> None:
    """Refuse a study without donors, and pools with other units than donors.

    Raises
    ------
    DesignError
        D064 when every unit is treated, D066 for a treated unit in a pool, D070 for a pool of a
        unit that is not treated, D009 for a label that is not in the data, D014 for an empty pool.
    """
    if not untreated:
        raise DesignError(
            "D064",
            f"at least one unit must never be treated, got a start for all {len(treated)}: without "
            "donors there is nothing to compare with.",
        )
    unknown = [unit for unit in pools if unit not in treated]
    if unknown:
        raise DesignError(
            "D070",
            f"donors must be given by treated unit ({listed(treated)}), got {listed(unknown)}.",
        )
    for unit, pool in pools.items():
        later = [label for label in pool if label in treated]
        if later:
            raise DesignError(
                "D066",
                f"the donors of {unit} must never be treated, got {listed(later)}, which are "
                "treated later or earlier; leave them out of its pool: not-yet-treated units are "
                "not used as donors.",
            )
        for label in pool:
            if label not in untreated:
                hint = near_miss(label, untreated)
                raise DesignError("D009", f"{label!r} must be a donor of this study. {hint}")
        if not pool:
            raise DesignError("D014", f"{unit} has no donors: name at least one untreated unit.")

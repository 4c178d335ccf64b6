"""Form placebo sets: donors that are taken out of the pool together, with the real starts.

Which donors make a set hangs on their own past alone, never on the seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any, NamedTuple, final

from bayes_synth.data.panel import Panel
from bayes_synth.data.validation import locked
from bayes_synth.errors import DesignError
from bayes_synth.model.calibration import Calibration
from bayes_synth.study.data import PER_MEMBER, AbstractStudyData

__all__ = ["LARGEST", "Member", "Sets", "placebo_panel", "placebo_sets", "set_size"]

LARGEST = 8
"""Most members of a set."""
PARTITIONS = 4
"""In so many ways the donors are split into sets."""


class Member(NamedTuple):
    """Name one placebo of a set: the donor, and the treated unit whose start and pool it takes."""

    donor: str
    role: str


@final
@dataclass(frozen=True)
class Sets:
    """Hold the sets and the power of their likelihood.

    ``power`` is the number of sets that share no donor over their own number: splitting the same
    donors once more adds little.
    """

    members: tuple[tuple[Member, ...], ...]
    power: float

    @property
    def independent(self) -> float:
        """Return how many sets share no donor."""
        return self.power * len(self.members)


def set_size(treated: int, donors: int) -> int:
    """Return how many members a set has: as many as units are treated, if the donors suffice."""
    return max(1, min(treated, donors // PER_MEMBER, LARGEST))


def placebo_sets(study: AbstractStudyData[Any], plan: Calibration) -> Sets:
    """Split the donors into sets, in the order of their mean before the first start.

    The members of a set take real starts, spread over all of them; a donor that is split off again
    takes another one. ``plan.most`` limits the number of refits to four times as many.
    """
    first = min(study.starts.values())
    past = study.outcomes.sel(unit=list(study.donors))
    means = past.isel(time=study.times < first).mean("time").to_numpy()
    usable = [
        label
        for _, label in sorted(zip(means, study.donors, strict=True))
        if label not in plan.exclude
    ]
    size = set_size(len(study.treated), len(usable))
    if len(study.donors) <= size or not usable:
        return Sets((), 1.0)
    sets: dict[tuple[Member, ...], None] = {}
    limit = PARTITIONS * plan.most // size
    roles = sorted(study.treated, key=lambda unit: (study.starts[unit], unit))
    for turn, group in enumerate(_groups(usable, size)):
        if len(sets) == limit:
            break
        members = _cast(study, group, roles, turn)
        if members:
            sets.setdefault(members)
    independent = min(len(sets), len(usable) // size)
    return Sets(tuple(sets), independent / len(sets) if sets else 1.0)


def _groups(usable: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Split the donors into groups several times, at strides from the one that spreads them most.

    A stride that shares no divisor with the number of donors visits each of them once.
    """
    count = len(usable)
    strides = [s for s in range(1, max(2, count // 2 + 1)) if gcd(s, count) == 1]
    strides = sorted(strides, key=lambda s: (abs(s - count / size), s))
    groups = []
    for turn in range(PARTITIONS):
        stride = strides[turn % len(strides)]
        # Donors that are left over in one split begin the next.
        begin = turn * (count % size)
        order = [usable[(begin + k * stride) % count] for k in range(count)]
        groups += [tuple(order[k : k + size]) for k in range(0, count - size + 1, size)]
    return groups


def _cast(
    study: AbstractStudyData[Any], group: Sequence[str], roles: Sequence[str], turn: int
) -> tuple[Member, ...]:
    """Give each donor of a group the role of a treated unit that it could have been.

    Roles are spread evenly over the starts, without repetition, and turn from group to group. A
    unit with a pool of its own is played by donors of that pool, with another donor left in it.
    """
    size, free = len(group), list(range(len(roles)))
    members = []
    for k, donor in enumerate(group):
        wanted = (k * len(roles) // size + turn) % len(roles)
        order = sorted(free, key=lambda place: (place - wanted) % len(roles))
        for place in order:
            pool = study.pool(roles[place])
            if donor in pool and len(set(pool) - set(group)) > 0:
                members.append(Member(donor, roles[place]))
                free.remove(place)
                break
    return tuple(sorted(members)) if len(members) == size else ()


def placebo_panel(study: AbstractStudyData[Any], member: Member, group: Sequence[Member]) -> Panel:
    """Make the panel of one member: its donors are the role's, without the other members.

    Where the role's own outcome is missing, the member's is left out too.

    Raises
    ------
    DesignError
        D014 when no donor is left, V004 when the member is constant before the start.
    """
    role = study.panels[member.role]
    out = {each.donor for each in group}
    donors = [label for label in role.donors if label not in out]
    if not donors:
        raise DesignError("D014", f"no donors are left for {member.donor} as if treated.")
    units = sorted([member.donor, *donors])
    outcomes = role.outcomes.sel(unit=units)
    hidden = (outcomes["unit"] == member.donor) & outcomes["time"].isin(role.missing_times)
    names = (study.unit, study.time, study.outcome)
    return Panel(
        locked(outcomes.where(~hidden)), (member.donor,), role.start, *names, zone=study.zone
    )

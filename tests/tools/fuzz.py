"""Fuzz the front door: corrupt valid panels in one to three ways, and judge the answer to each.

``python tests/tools/fuzz.py [cases] [seed]`` prints the tally and what went wrong. Three answers
are right: the very numbers that were handed over, with the remarks that the catalogue
(``corruptions.py``) wants and no others; a refusal by a code that the catalogue allows; and, for
missing outcomes, what ``missing=...`` says. Everything else is wrong.
"""

import re
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from broken_data import STAGES
from corruptions import COLUMN, LONG, WIDE, Case, Corruption

import bayes_synth as bs
from bayes_synth.data.panel import Panel
from bayes_synth.errors import BayesSynthError, DesignWarning, PanelWarning

DOCUMENTED = set(
    re.findall(
        r"^\| ([A-Z]\d{3}) \|", (Path(__file__).parents[2] / "docs" / "errors.md").read_text(), re.M
    )
)
TOO_LONG = 60.0
FRAGILE = frozenset(
    {"V005", "V007", "V008", "V009", "V011", "V012", "V014", "D005", "D019", "D020", "D022", "P029"}
)
"""Remarks on numbers: dropping donors or times may add or remove any of them."""


class Base(NamedTuple):
    """Hold a valid panel to start from."""

    table: pd.DataFrame
    treated: str
    start: object
    report: frozenset[str]


class Expectation(NamedTuple):
    """Hold codes one of which must refuse, or else table, start and remarks of the panel.

    ``says`` has pairs of a code and what its message must hold.
    """

    refused: frozenset[str]
    table: pd.DataFrame
    start: object
    remarks: frozenset[str]
    perhaps: frozenset[str]
    says: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass
class Tally:
    """Count what came of all cases."""

    tried: int = 0
    refused: Counter = field(default_factory=Counter)
    equal: int = 0
    remarked: int = 0
    wrong: list[str] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    used: Counter = field(default_factory=Counter)

    def __str__(self) -> str:
        codes = ", ".join(f"{code} {count}" for code, count in sorted(self.refused.items()))
        return (
            f"{self.tried} tried with {len(self.used)} kinds of corruption, "
            f"{self.refused.total()} refused ({codes}), {self.equal} equal to the clean panel, "
            f"{self.remarked} right with a remark, {len(self.wrong)} wrong"
        )


def bases() -> list[Base]:
    """Make the valid panels: numbered, daily, and as large as real ones are."""
    panels = [
        bs.simulate(donors=7, pre=24, post=8, random_seed=11).panel,
        bs.simulate(donors=7, pre=24, post=8, start="2021-03-01", random_seed=12).panel,
        bs.load_dataset("prop99"),
    ]
    found = []
    for panel in panels:
        table = panel.outcomes.to_pandas().rename_axis(index=None, columns=None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = frozenset(
                Panel.from_wide(table, treated=panel.treated, start=panel.start).report["code"]
            )
        found.append(Base(table, panel.treated[0], panel.start, report))
    return found


def drawn(base: Base, rng: np.random.Generator) -> tuple[Case, list[Corruption]]:
    """Draw a case with one to three corruptions of different stages, in the order of the stages."""
    done: list[Corruption] = []
    while not done:
        case = Case(
            base.table, base.treated, base.start, str(rng.choice([LONG, WIDE, COLUMN])), rng
        )
        done = corrupted(case, rng)
    return case, done


def corrupted(case: Case, rng: np.random.Generator) -> list[Corruption]:
    """Draw and carry out corruptions; there are none when none of the drawn stages fits."""
    gentle = rng.random() < 0.5
    wanted = set(rng.choice(list(STAGES), size=rng.integers(1, 4), replace=False))
    done: list[Corruption] = []
    for stage, entries in STAGES.items():
        if stage == "frame":
            case.lay_out()
        possible = [
            entry
            for entry in entries
            if stage in wanted and fits(entry, case, gentle) and not hides(entry, done)
        ]
        if possible:
            entry = possible[rng.integers(len(possible))]
            entry.change(case)
            done.append(entry)
    return done


def fits(entry: Corruption, case: Case, gentle: bool) -> bool:
    """Test whether a corruption can happen to a case; gentle ones are never refused."""
    return case.layout in entry.layouts and not (gentle and entry.refused) and entry.fits(case)


def hides(entry: Corruption, done: list[Corruption]) -> bool:
    """Test whether rounding would take away, or make exact, what series had to do with another."""
    related = any(each.remarks & {"V044", "V047"} for each in done)
    return related and entry.name.endswith("whole numbers")


FOUND = frozenset({"D040", "V040", "V041", "V042", "V043", "V044", "V045", "V046", "V047"})
"""Remarks on how series look, which other corruptions may well bring about."""


def expectation(case: Case, done: list[Corruption], base: Base) -> Expectation:
    """Say what must come of a case; what comes of missing outcomes depends on ``missing``."""
    refused = frozenset().union(*(entry.refused for entry in done))
    remarks = frozenset().union(*(entry.remarks for entry in done))
    perhaps = (FOUND | {"P021"}).union(base.report, *(entry.perhaps for entry in done))
    table = case.expected.sort_index(axis=0).sort_index(axis=1)
    absent, missing = table.isna(), case.options.get("missing", "error")
    if refused or not absent.any(axis=None):
        # A missing outcome beside another fault may be what is refused.
        others = {"P025", "P027", "D002"} if refused and absent.any(axis=None) else set()
        return Expectation(refused | others, table, case.first, remarks, perhaps)
    if missing == "error":
        return Expectation(frozenset({"P025"}), table, case.first, remarks, perhaps)
    if missing == "drop_donors":
        kept = table.loc[:, ~absent.any()]
        if case.mine[0] not in kept:
            return Expectation(frozenset({"P027"}), table, case.first, remarks, perhaps)
    else:
        kept = table[~absent.any(axis=1)]
    later = kept.index[kept.index >= case.first]
    if kept.shape[1] < 2:
        return Expectation(frozenset({"D014"}), table, case.first, remarks, perhaps)
    if not len(later):
        return Expectation(frozenset({"P025", "D002"}), table, case.first, remarks, perhaps)
    wanted = {"P026"} | (remarks - FRAGILE) | ({"D003"} if later[0] != case.first else set())
    return Expectation(frozenset(), kept, later[0], wanted, perhaps | remarks | FRAGILE)


def judged(case: Case, wanted: Expectation, tally: Tally) -> str | None:
    """Say what is wrong with the answer to a case, or None; the tally counts right answers."""
    handed = case.data.copy(deep=True) if isinstance(case.data, pd.DataFrame) else None
    began = time.monotonic()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            panel = case.after(case.reader(case.data, **case.options))
            assert repr(panel)
            assert panel._repr_html_()
    except BayesSynthError as error:
        tally.refused[error.code] += 1
        return _refusal(error, wanted) or _unsaid({error.code: str(error)}, wanted)
    except BaseException:
        return "another exception: " + traceback.format_exc(limit=-3)
    if time.monotonic() - began > TOO_LONG:
        return f"{time.monotonic() - began:.0f} seconds"
    if wanted.refused:
        return f"not refused, although {sorted(wanted.refused)} was due"
    if handed is not None and not handed.equals(case.data):
        return "the caller's frame was changed"
    said = dict(zip(panel.report["code"], panel.report["remark"], strict=True))
    problem = _numbers(panel, case, wanted) or _remarks(panel, caught, wanted)
    problem = problem or _unsaid(said, wanted)
    if problem is None:
        tally.panels.append(panel)
        tally.equal += not wanted.remarks
        tally.remarked += bool(wanted.remarks)
    return problem


def _refusal(error: BayesSynthError, wanted: Expectation) -> str | None:
    if error.code in wanted.refused and error.code in DOCUMENTED:
        return None
    return f"refused with {error}, but {sorted(wanted.refused) or 'a panel'} was due"


def says(done: list[Corruption]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Pair the codes of each corruption with what their message must hold."""
    return tuple((code, entry.says) for entry in done for code in entry.refused | entry.remarks)


def _unsaid(said: dict[str, str], wanted: Expectation) -> str | None:
    """Look for the cure in what was said; of several corruptions of one code one is named."""
    for code, text in said.items():
        texts = [words for other, words in wanted.says if other == code]
        if texts and not any(all(word in text for word in words) for words in texts):
            return f"[{code}] must say {texts}, but says: {text}"
    return None


def _numbers(panel: Panel, case: Case, wanted: Expectation) -> str | None:
    """Compare every cell, label and role, bit for bit."""
    found = {
        "numbers": panel.outcomes.to_numpy().tobytes()
        == wanted.table.to_numpy(dtype=float).tobytes(),
        "units": panel.outcomes["unit"].values.tolist() == list(wanted.table.columns),
        "times": panel.times.equals(wanted.table.index),
        "treated": panel.treated == case.mine,
        "start": panel.start == wanted.start,
    }
    wrong = [name for name, right in found.items() if not right]
    return f"other {', '.join(wrong)} than handed over" if wrong else None


def _remarks(
    panel: Panel, caught: list[warnings.WarningMessage], wanted: Expectation
) -> str | None:
    """Compare the remarks with those due, and the warnings with what the report says."""
    foreign = [w for w in caught if not issubclass(w.category, (PanelWarning, DesignWarning))]
    if foreign:
        return f"a warning that is not ours: {foreign[0].category.__name__}: {foreign[0].message}"
    warned = {str(w.message)[1:5] for w in caught}
    report = set(panel.report["code"]) | (warned & {"D003"})
    if warned - {"D003"} != set(panel.report.loc[panel.report["kind"] == "warned", "code"]):
        return f"warned about {sorted(warned)}, but the report says otherwise:\n{panel.report}"
    lacking, surplus = wanted.remarks - report, report - wanted.remarks - wanted.perhaps
    if lacking or surplus or report - DOCUMENTED:
        return f"lacks the remarks {sorted(lacking)}, has {sorted(surplus)} too many"
    return None


def run(cases: int, seed: int) -> Tally:
    """Corrupt, read and judge; the same seed gives the same cases."""
    tally, starts = Tally(), bases()
    for number, stream in enumerate(np.random.SeedSequence(seed).spawn(cases)):
        # The third base, as large as real panels are, is the slow one.
        base = starts[2 if number % 12 == 0 else number % 2]
        case, done = drawn(base, np.random.default_rng(stream))
        tally.tried += 1
        tally.used.update(entry.name for entry in done)
        problem = judged(case, expectation(case, done, base)._replace(says=says(done)), tally)
        if problem:
            names = " + ".join(entry.name for entry in done)
            tally.wrong.append(f"case {number} ({case.layout}: {names}): {problem}")
    return tally


def fitted(panels: list[Panel], most: int) -> Iterator[tuple[Panel, object]]:
    """Fit panels of at most eight donors, which share a compiled structure; odd ones first."""
    alike = [panel for panel in panels if len(panel.donors) <= 8 and len(panel.post) > 1]
    alike.sort(key=lambda panel: -len(panel.report))
    model = bs.SyntheticControl(calibrate=False)
    for panel in alike[:most]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                yield (
                    panel,
                    model.fit(
                        panel,
                        draws=20,
                        tune=50,
                        chains=2,
                        cores=1,
                        random_seed=1,
                        progressbar=False,
                    ),
                )
            except BayesSynthError as error:
                yield panel, error


if __name__ == "__main__":
    count, chosen = (int(word) for word in [*sys.argv[1:], *["2000", "1"][len(sys.argv) - 1 :]])
    result = run(count, chosen)
    print("\n".join([*result.wrong, str(result)]))

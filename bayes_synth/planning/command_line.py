"""The commands ``plan`` and ``choose`` of the command line.

What takes time to import is imported when a command runs, so that ``--help`` answers at once.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayes_synth.data.text_options import add_layout_options, read_as_asked

if TYPE_CHECKING:
    import pandas as pd

    from bayes_synth.planning.history import History
    from bayes_synth.planning.plan import Plan

__all__ = ["WORDS", "add_options"]

WORDS = {
    "plan": "say what a test of some units could find: one row per unit and time before it",
    "choose": "compare sets of units that might be treated",
}
READY, NOT_READY = 0, 1
FINE = ("ready", "no effect stated")
"""Verdicts that end with the exit code 0."""
FILES = (".nc", ".zarr", ".zarr.zip")
PAGES = {".html": "html", ".md": "markdown", ".txt": "text"}


def add_options(name: str, command: argparse.ArgumentParser) -> None:
    """Add the options of one of both commands, and what runs it."""
    add = command.add_argument
    add("data", type=Path, help="a CSV file; .gz, .bz2 and .xz are read too")
    for column in ("unit", "time", "outcome"):
        add(f"--{column}", required=True, metavar="COLUMN", help=f"column of the {column}s")
    add("--periods", required=True, type=int, nargs="+", metavar="N", help="lengths of the test")
    add("--effect", type=float, nargs="+", metavar="E", help="the effect, such as 0.05 for 5 %%")
    add("--ci-prob", type=float, default=0.95, help="the interval that must exclude zero (0.95)")
    add("--starts", type=int, default=7, help="number of past windows (default: 7)")
    add("--missing", default="error", help="error (default), drop_donors, drop_times or model")
    add("--seed", type=int, help="random seed (default: a fresh one, which is said)")
    add("-o", "--output", type=Path, metavar="PAGE", help="a report: .html, .md or .txt")
    add("--save", type=Path, metavar="FILE", help="the plan, as .nc, .zarr or .zarr.zip")
    add("--csv", type=Path, metavar="FILE", help="the table as CSV, one row per length and effect")
    add("--json", action="store_true", help="print one JSON object instead of sentences")
    add("--overwrite", action="store_true", help="replace files that exist")
    add("--quiet", action="store_true", help="no progress")
    add_layout_options(command)
    if name == "plan":
        add("--treated", required=True, nargs="+", metavar="UNIT", help="units to treat")
        add("--never-donors", nargs="+", default=[], metavar="UNIT", help="units not to use")
        command.set_defaults(run=_plan)
        return
    add("--sizes", required=True, type=int, nargs="+", metavar="N", help="numbers of treated units")
    add("--include", nargs="+", default=[], metavar="UNIT", help="units that every set has")
    add("--exclude", nargs="+", default=[], metavar="UNIT", help="units that no set has")
    add("--budget", type=float, help="money for the test")
    add("--cost-per-unit", type=float, help="money per outcome unit that the test adds")
    add("--most", type=int, default=6, help="number of finalists (default: 6)")
    command.set_defaults(run=_choose)


def _plan(options: argparse.Namespace) -> int:
    """Plan a test, and write what was asked for."""
    from bayes_synth.api import SyntheticControl
    from bayes_synth.planning.rules import Interval

    _require_free(options)
    seed = _seed(options)
    plan = SyntheticControl().plan(
        _history(options),
        options.treated,
        periods=options.periods,
        effect=options.effect,
        rule=Interval(options.ci_prob),
        random_seed=seed,
        starts=options.starts,
        never_donors=options.never_donors,
        progressbar=not options.quiet,
    )
    return _tell(plan, repr(plan), plan.table.reset_index(), seed, options)


def _choose(options: argparse.Namespace) -> int:
    """Choose units, and write the plan of the best set."""
    from bayes_synth.planning.choose import ChoiceOptions, choose_treated
    from bayes_synth.planning.rules import Interval

    _require_free(options)
    seed = _seed(options)
    wanted: ChoiceOptions = {
        "starts": options.starts,
        "include": options.include,
        "exclude": options.exclude,
        "most": options.most,
        "progressbar": not options.quiet,
    }
    if options.budget is not None:
        wanted["budget"] = options.budget
    if options.cost_per_unit is not None:
        wanted["cost_per_unit"] = options.cost_per_unit
    choice = choose_treated(
        _history(options),
        sizes=options.sizes,
        periods=options.periods,
        effect=options.effect,
        rule=Interval(options.ci_prob),
        random_seed=seed,
        **wanted,
    )
    return _tell(choice.best, repr(choice), choice.table, seed, options)


def _seed(options: argparse.Namespace) -> int:
    """Return the seed that was given, or a fresh one."""
    from bayes_synth.sampling.settings import entropy

    return entropy(options.seed)


def _history(options: argparse.Namespace) -> "History":
    """Read the history as the command ``fit`` reads its data."""
    from bayes_synth.planning.history import History

    table, columns, _ = read_as_asked(options, "", options.say)
    return History.from_long(table, **columns, missing=options.missing)


def _require_free(options: argparse.Namespace) -> None:
    """Refuse to replace a file, and a page of an unknown kind, before anything is fitted.

    Raises
    ------
    LoadError
        L004 for a file that exists.
    OptionError
        O062 for a page of another kind, O101 for a file of another kind.
    """
    from bayes_synth.errors import LoadError, OptionError
    from bayes_synth.words import listed

    files = _files(options).values()
    taken = [str(file) for file in files if file.exists()]
    if taken and not options.overwrite:
        raise LoadError("L004", f"{listed(taken)} must not exist yet; pass --overwrite to replace.")
    if options.output is not None and options.output.suffix not in PAGES:
        raise OptionError("O062", f"-o must end in {listed(PAGES)}, got {options.output.name!r}.")
    if options.save is not None and not options.save.name.endswith(FILES):
        raise OptionError("O101", f"--save must end in {listed(FILES)}, got {options.save.name!r}.")


def _files(options: argparse.Namespace) -> dict[str, Path]:
    """Name what is written, by its kind."""
    files = {"Report": options.output, "Plan": options.save, "Table": options.csv}
    return {kind: file for kind, file in files.items() if file is not None}


def _tell(
    plan: "Plan", text: str, table: "pd.DataFrame", seed: int, options: argparse.Namespace
) -> int:
    """Print the words, write the files, and say by the exit code whether the plan is ready."""
    files = _files(options)
    for kind, file in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        if kind == "Report":
            file.write_text(plan.report(PAGES[file.suffix]), encoding="utf-8")
        elif kind == "Plan":
            plan.save(file, overwrite=options.overwrite)
        else:
            table.assign(**_units(table)).to_csv(file, index=False)
    if options.json:
        where = [str(file.resolve()) for file in files.values()]
        sys.stdout.write(f"{json.dumps(_facts(plan, table, seed) | {'files': where}, indent=2)}\n")
        return READY if plan.verdict in FINE else NOT_READY
    lines = [text, *(f"{kind + ':':<7} {file.resolve()}" for kind, file in files.items())]
    if options.seed is None:
        lines.append(f"Seed:   {seed} (--seed repeats this)")
    sys.stdout.write("\n".join([*lines, ""]))
    return READY if plan.verdict in FINE else NOT_READY


def _units(table: "pd.DataFrame") -> dict[str, "pd.Series"]:
    """Write sets of units as text, where the table has them."""
    return {"units": table["units"].map(", ".join)} if "units" in table else {}


def _facts(plan: "Plan", table: "pd.DataFrame", seed: int) -> dict[str, Any]:
    """Return a plan, or the best one of a choice, as plain data; what is not known is None."""
    rows = json.loads(table.to_json(orient="records"))
    return {
        "treated": list(plan.treated),
        "verdict": plan.verdict,
        "sentences": list(plan.sentences),
        "remarks": [{"code": code, "sentence": text} for code, _, text in plan.notes],
        "table": rows,
        "seed": seed,
    }

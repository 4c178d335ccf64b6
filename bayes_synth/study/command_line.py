"""The command ``study`` of the command line: several treated units, each with its own start.

What takes time to import is imported when the command runs, so that ``--help`` answers at once.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayes_synth.study.joint_fit import JointFit
    from bayes_synth.study.study import Study

__all__ = ["WORDS", "add_options"]

WORDS = {"study": "fit several treated units, each with its own start: one row per unit and time"}
FINE, DOUBTFUL = 0, 1
PICTURES = ("event", "time", "treated", "start", "units")
TRUTHS = {"true": "1", "false": "0", "yes": "1", "no": "0"}
"""Words of a treatment column that stand for one and zero."""


def add_options(
    command: argparse.ArgumentParser,
    *,
    model_of: Callable[[argparse.Namespace], Any],
    log: Callable[[str], None],
) -> None:
    """Add the options of the command, and what runs it.

    Parameters
    ----------
    command
        Its parser, which already has the options of a file and of the model.
    model_of
        Makes the model of the options.
    log
        Says something on the standard error.
    """
    add = command.add_argument
    add(
        "--start", nargs="+", action="extend", default=[], metavar="UNIT=TIME",
        help="a treated unit and its first treated period, such as CA=1976; repeatable",
    )  # fmt: skip
    add("--treatment", metavar="COLUMN", help="column of 0, and 1 from a unit's start on")
    add("--by", default="event", help="what the table and the figure list: event (default), "
        "time, treated or start")  # fmt: skip
    add("--weights", default="unit", help="unit (each counts once, default) or cell")
    add("--out", type=Path, default=Path.cwd(), help="folder for the files (default: this one)")
    add("--seed", type=int, help="random seed (default: a fresh one, which is said)")
    add("--plot", action="append", default=[], metavar="BY", help=f"also by {', '.join(PICTURES)}")
    add("--csv", action="store_true", help="also write the tables of effects as CSV")
    add("--checks", action="store_true", help="ask the checks, and write the report")
    add("--json", action="store_true", help="print one JSON object instead of tables")
    add("--strict", action="store_true", help="exit with 1 also for any alarm or failed check")
    add("--ci-prob", type=float, default=0.95, help="probability of the intervals (default: 0.95)")
    add("--overwrite", action="store_true", help="replace files that exist")
    add("--quiet", action="store_true", help="no progress, neither bars nor lines")
    command.set_defaults(run=partial(_study, model_of=model_of, log=log))


def _study(
    options: argparse.Namespace,
    *,
    model_of: Callable[[argparse.Namespace], Any],
    log: Callable[[str], None],
) -> int:
    """Read the study, fit it, and write what was asked for."""
    _require_wishes(options)
    files = _files(options)
    _require_free(list(files.values()), options)
    study = _read(options, log)
    joint = model_of(options).fit(study, random_seed=options.seed, progressbar=not options.quiet)
    checks = joint.check(progressbar=not options.quiet) if options.checks else None
    options.out.mkdir(parents=True, exist_ok=True)
    for kind, file in files.items():
        _write(joint, checks, kind, file, options)
    _show(joint, checks, options, list(files.values()))
    failed = checks is not None and checks.verdict == "fail"
    doubted = options.strict and (joint.alarms or failed)
    return FINE if joint.converged and not doubted else DOUBTFUL


def _require_wishes(options: argparse.Namespace) -> None:
    """Refuse what cannot be met before anything is read.

    Raises
    ------
    PanelError
        P001 without a file.
    OptionError
        O004 for a probability, O001 for an unknown word, D072 unless starts are given one way.
    """
    from bayes_synth.errors import DesignError, OptionError, PanelError
    from bayes_synth.sampling.settings import require_probability
    from bayes_synth.words import listed

    if options.data is None:
        raise PanelError("P001", "the data must be a CSV file, got none: name it before --start.")
    require_probability("--ci-prob", options.ci_prob, "O004")
    for name, words in (("by", PICTURES[:4]), ("weights", ("unit", "cell"))):
        if getattr(options, name) not in words:
            got = getattr(options, name)
            raise OptionError("O001", f"--{name} must be one of {listed(words)}, got {got!r}.")
    if odd := [name for name in options.plot if name not in PICTURES]:
        raise OptionError("O001", f"--plot must be one of {listed(PICTURES)}, got {listed(odd)}.")
    if bool(options.start) == bool(options.treatment):
        raise DesignError(
            "D072",
            "starts must be given in one way, as --start UNIT=TIME or as --treatment COLUMN, got "
            f"{'both' if options.start else 'neither'}.",
        )


def _read(options: argparse.Namespace, log: Callable[[str], None]) -> "Study":
    """Read the study, and say how the file was written unless it is plain."""
    from bayes_synth.data.text_file import TextFormat, read_text
    from bayes_synth.study.study import Study

    layout = TextFormat(options.sep, options.decimal, options.encoding, options.date_format)
    columns = {name: getattr(options, name) for name in ("unit", "time", "outcome")}
    read = partial(read_text, options.data, layout=layout)
    typed = _typed(options.start)
    table, _, found = read(**columns, start=next(iter(typed.values()), ""))
    if found:
        log(f"Read {options.data}: {', '.join(found)}.")
    starts: Any = options.treatment
    if typed:
        labels = {text: read(**columns, start=text).start for text in set(typed.values())}
        starts = {unit: labels[text] for unit, text in typed.items()}
    elif options.treatment in table:
        words = table[options.treatment].map(lambda text: TRUTHS.get(text.strip().lower(), text))
        table[options.treatment] = [_number(text) for text in words]
    return Study.from_long(table, **columns, starts=starts, missing=options.missing)


def _number(text: str) -> Any:
    """Read 0 and 1, with decimals or not; what is neither stays text, for the study to name it."""
    try:
        return float(text.replace(",", ".")) if text.strip() else float("nan")
    except ValueError:
        return text


def _typed(starts: Sequence[str]) -> dict[str, str]:
    """Take UNIT=TIME apart.

    Raises
    ------
    DesignError
        D073 for something else, D068 for a unit that is named twice.
    """
    from bayes_synth.errors import DesignError
    from bayes_synth.words import listed

    pairs = [text.rpartition("=") for text in starts]
    odd = [
        text for text, (unit, _, time) in zip(starts, pairs, strict=True) if not unit or not time
    ]
    if odd:
        raise DesignError(
            "D073",
            f"--start must be UNIT=TIME, such as CA=1976, got {listed(odd)}; quote labels with "
            'spaces, --start "New York=1967".',
        )
    units = [unit for unit, _, _ in pairs]
    twice = sorted({unit for unit in units if units.count(unit) > 1})
    if twice:
        raise DesignError("D068", f"--start must name each unit once, got {listed(twice)} twice.")
    return {unit: time for unit, _, time in pairs}


def _files(options: argparse.Namespace) -> dict[str, Path]:
    """Name what is written, by its kind."""
    from bayes_synth.data.text_file import OPENERS

    packed = options.data.suffix.lower() in OPENERS
    stem = f"{Path(options.data.stem).stem if packed else options.data.stem}_study"
    figures = [name for name in dict.fromkeys(options.plot) if name != options.by]
    names = {options.by: f"{stem}.png"} | {name: f"{stem}_{name}.png" for name in figures}
    if options.csv:
        names |= {"csv": f"{stem}.csv", f"csv {options.by}": f"{stem}_{options.by}.csv"}
    names |= {"report": f"{stem}.txt"} if options.checks else {}
    return {kind: options.out / name for kind, name in (names | {"nc": f"{stem}.nc"}).items()}


def _require_free(files: Sequence[Path], options: argparse.Namespace) -> None:
    """Refuse to replace a file before anything is computed.

    Raises
    ------
    LoadError
        L004 for a file that exists.
    """
    from bayes_synth.errors import LoadError
    from bayes_synth.words import listed

    taken = [str(file) for file in files if file.exists()]
    if taken and not options.overwrite:
        raise LoadError("L004", f"{listed(taken)} must not exist yet; pass --overwrite to replace.")


def _write(
    joint: "JointFit", checks: Any, kind: str, file: Path, options: argparse.Namespace
) -> None:
    """Write one file."""
    how = {"ci_prob": options.ci_prob, "weights": options.weights}
    if kind == "nc":
        joint.save(file, overwrite=options.overwrite)
    elif kind == "report":
        text = joint.report(by=options.by, ci_prob=options.ci_prob, checks=checks)
        file.write_text(text, encoding="utf-8")
    elif kind.startswith("csv"):
        by: Any = kind.removeprefix("csv").strip() or None
        joint.summary(by=by, **how).to_csv(file)
    elif kind == "units":
        joint.plot_units(ci_prob=options.ci_prob, backend="matplotlib").savefig(file)
    else:
        by = kind
        joint.plot(by=by, backend="matplotlib", **how).savefig(file)


def _show(
    joint: "JointFit", checks: Any, options: argparse.Namespace, files: Sequence[Path]
) -> None:
    """Print the answer as a table or as JSON, and where the files are."""
    from bayes_synth.study.facts import study_facts

    where = [str(file.resolve()) for file in files]
    if options.json:
        facts = study_facts(joint, options.by, options.weights, options.ci_prob, checks)
        sys.stdout.write(json.dumps(facts | {"files": where}, indent=2, allow_nan=False) + "\n")
        return
    parts = [repr(joint)]
    for by in (None, options.by):
        table = joint.summary(by=by, weights=options.weights, ci_prob=options.ci_prob)
        shown = table[["median", "lower", "upper", "p_two_sided", "units", "cells"]]
        parts.append(shown.to_string(float_format=lambda number: f"{number:.4g}"))
    parts += [repr(checks)] if checks is not None else []
    seed = next(iter(joint.fits.values())).record.settings.random_seed
    parts += [] if options.seed is not None else [f"Seed: {seed}"]
    parts.append("\n".join(f"File: {file}" for file in where))
    sys.stdout.write("\n\n".join(parts) + "\n")

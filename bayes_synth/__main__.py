"""The command line: ``bayes-synth demo``, ``fit data.csv ...`` and ``report fit.nc``.

Each command imports what takes time to import, so that ``--help`` answers at once.
"""

import argparse
import re
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bayes_synth as bs
from bayes_synth.data.text_options import read_as_asked
from bayes_synth.errors import (
    BayesSynthError,
    LoadError,
    OptionError,
    PanelError,
    SamplingFailed,
)
from bayes_synth.planning import command_line
from bayes_synth.report.options import (
    add_data_options,
    add_file_options,
    add_fit_options,
    add_report_options,
)
from bayes_synth.study import command_line as study_line
from bayes_synth.words import listed, suggestion

if TYPE_CHECKING:
    from bayes_synth.checks.result import Checks
    from bayes_synth.report.render import Kind

__all__ = ["main"]

PAGES: "dict[str, Kind]" = {".html": "html", ".md": "markdown", ".txt": "text"}
MAIN_PLOT = "plot_fit"
FINE, DOUBTFUL, REFUSED, FAILED, BROKEN, INTERRUPTED = 0, 1, 2, 3, 4, 130
CONVERGED = f"""exit codes:
  {FINE}    done, and the fit has converged
  {DOUBTFUL}    done, but the fit has not converged or was interrupted; with --strict
       also when fit.alarms is not empty or a check fails (report)
"""
READY = f"""exit codes:
  {FINE}    done, and the plan is ready, or no effect was stated
  {DOUBTFUL}    done, but the plan is weak or not to be trusted
"""
EXIT_CODES = f"""  {REFUSED}    refused: the command, the data or a file is not as it must be
  {FAILED}    the sampler gave no usable draws
  {BROKEN}    an unexpected error: please report it
  {INTERRUPTED}  interrupted by Ctrl-C before there was a result"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        The exit code; ``--help`` lists them.
    """
    options = _parser().parse_args(arguments)
    try:
        with _plain_warnings(), _progress(options):
            return int(options.run(options))
    except (BayesSynthError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__} {_as_options(str(error))}\n")
        return FAILED if isinstance(error, SamplingFailed) else REFUSED
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return INTERRUPTED
    # An exit code of its own: Python's is 1, which would say that the fit is doubtful.
    except Exception:
        traceback.print_exc()
        return BROKEN


def _as_options(text: str) -> str:
    """Write the arguments that a message advises as options of the command line."""
    text = re.sub(r"\bmissing='(\w+)'", r"--missing \1", text)
    return re.sub(r"\bcost_per_unit=", "--cost-per-unit", text)


class _Version(argparse.Action):
    """Print the version, which takes an import to know."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        print(f"bayes_synth {bs.__version__}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    shape: Any = {
        "epilog": CONVERGED + EXIT_CODES,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "allow_abbrev": False,
    }
    script = "bayes-synth" if Path(sys.argv[0]).stem == "bayes-synth" else "python -m bayes_synth"
    parser = argparse.ArgumentParser(script, description="Bayesian synthetic control.", **shape)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version, and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    words = {
        "demo": "fit Proposition 99 with the recommended model",
        "fit": "fit your own data: one row per unit and time",
        "report": "write a page about a saved fit, with every check",
        **command_line.WORDS,
        **study_line.WORDS,
    }
    made = {
        name: commands.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", **shape
        )
        for name, text in words.items()
    }
    add_data_options(made["fit"])
    for name in ("demo", "fit"):
        add_fit_options(made[name], seed=1 if name == "demo" else None)
    add_report_options(made["report"])
    add_file_options(study := made.pop("study"))
    study_line.add_options(study, model_of=_model, log=_log)
    for name in command_line.WORDS:
        made[name].set_defaults(say=_log)
        made[name].epilog = READY + EXIT_CODES
        command_line.add_options(name, made.pop(name))
    for command in made.values():
        _common_options(command)
    return parser


def _common_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--ci-prob", type=float, default=0.95, help="probability of the intervals (default: 0.95)")
    add("--overwrite", action="store_true", help="replace files that exist")
    add("--quiet", action="store_true", help="no progress, neither bars nor lines")
    command.set_defaults(run=_report if command.prog.endswith("report") else _fit)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Write warnings as sentences, without the place in the code that gave them."""
    usual = warnings.formatwarning

    def plain(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> str:
        own = category.__module__.startswith("bayes_synth")
        return (
            f"{category.__name__}: {message}\n" if own else usual(message, category, *place, **more)
        )

    warnings.formatwarning = plain
    try:
        yield
    finally:
        warnings.formatwarning = usual


@contextmanager
def _progress(options: argparse.Namespace) -> Iterator[None]:
    """Draw bars in a terminal; without one, write lines with the time to the standard error."""
    if options.quiet or (sys.stdout.isatty() and not options.json):
        yield
        return
    from bayes_synth.sampling.progress import as_lines

    with as_lines(_log):
        yield


def _log(text: str) -> None:
    from datetime import datetime

    sys.stderr.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {text}\n")
    sys.stderr.flush()


def _fit(options: argparse.Namespace) -> int:
    _require_plots(options.plot)
    _require_probability(options.ci_prob)
    demo = options.command == "demo"
    name, panel = ("prop99", bs.load_dataset("prop99")) if demo else _read(options)
    model = bs.SyntheticControl() if demo else _model(options)
    files = _files(options, name)
    _require_free([file for _, file in files], options)
    _require_folder(options.out)
    fit = model.fit(panel, random_seed=options.seed, progressbar=not options.quiet)
    _show(fit, options, [file for _, file in files])
    options.out.mkdir(parents=True, exist_ok=True)
    for kind, file in files:
        _write(fit, kind, file, options)
    alarming = options.strict and fit.alarms
    return FINE if fit.ok and not alarming else DOUBTFUL


def _read(options: argparse.Namespace) -> "tuple[str, bs.Panel]":
    """Read the panel, and say how the file was written unless it is plain."""
    from bayes_synth.data.text_file import OPENERS

    treated = list(options.treated)
    # After several treated units the file looks like one more.
    if options.data is None and len(treated) > 1 and Path(treated[-1]).is_file():
        options.data = Path(treated.pop())
    if options.data is None:
        raise PanelError("P001", "the data must be a CSV file, got none: name it before --treated.")
    more = [*(options.time_covariates or ()), *(options.auxiliary or ())]
    table, columns, start = read_as_asked(options, options.start, _log, more=more)
    panel = bs.Panel.from_long(
        table,
        **columns,
        treated=treated,
        start=start,
        missing=options.missing,
        covariates=options.time_covariates,
        auxiliary=options.auxiliary,
    )
    packed = options.data.suffix.lower() in OPENERS
    return f"{Path(options.data.stem).stem if packed else options.data.stem}_fit", panel


def _model(options: argparse.Namespace) -> "bs.SyntheticControl":
    """Make the model; the noise is named as in Python, in capitals or not."""
    if options.noise is None:
        return bs.SyntheticControl(scale=options.scale)
    known = {name.lower(): name for name in bs.noise.__all__ if not name.startswith("Abstract")}
    wanted = options.noise.lower().replace("_", "").replace("-", "")
    if wanted == "auto":
        return bs.SyntheticControl(scale=options.scale, noise="auto")
    if wanted not in known:
        hint = suggestion(options.noise, [*known.values(), "auto"])
        raise OptionError("O001", f"--noise must name a process, got {options.noise!r}. {hint}")
    return bs.SyntheticControl(scale=options.scale, noise=getattr(bs.noise, known[wanted])())


def _files(options: argparse.Namespace, name: str) -> list[tuple[str, Path]]:
    """Name what is written: figures by the plot, then the path per period and the fit."""
    files = [
        (plot, options.out / (f"{name}.png" if plot == MAIN_PLOT else f"{name}_{plot}.png"))
        for plot in dict.fromkeys([MAIN_PLOT, *options.plot])
    ]
    files += [("csv", options.out / f"{name}.csv")] if options.csv else []
    return [*files, ("fit", options.out / f"{name}.nc")]


def _require_free(files: Iterable[Path], options: argparse.Namespace) -> None:
    """Refuse to replace a file before anything is computed."""
    taken = [str(file) for file in files if file.exists()]
    if taken and not options.overwrite:
        raise LoadError("L004", f"{listed(taken)} must not exist yet; pass --overwrite to replace.")


def _require_folder(folder: Path) -> None:
    """Refuse a file in place of a folder before anything is computed."""
    if folder.exists() and not folder.is_dir():
        raise OptionError("O100", f"--out must be a folder, got the file {folder}.")


def _require_plots(names: Sequence[str]) -> None:
    """Refuse an unknown plot before anything is fitted."""
    known = {each.name for each in bs.plots.every_plot()} if names else set()
    for name in names:
        if name not in known:
            raise OptionError(
                "O001", f"--plot must be one of {listed(sorted(known))}; got {name!r}."
            )


def _require_probability(ci_prob: float) -> None:
    from bayes_synth.sampling.settings import require_probability

    require_probability("--ci-prob", ci_prob, "O004")


def _show(fit: "bs.Fit", options: argparse.Namespace, files: list[Path]) -> None:
    from bayes_synth.report.facts import facts
    from bayes_synth.report.terminal import say, show, total_line

    if options.json:
        where = [str(file.resolve()) for file in files]
        _print_json(facts(fit, options.ci_prob) | {"files": where})
        return
    if options.total:
        say(total_line(fit, options.ci_prob))
    show(fit, options.ci_prob)
    if options.seed is None:
        say(f"Seed:   {fit.record.settings.random_seed} (--seed repeats this fit)")


def _write(fit: "bs.Fit", kind: str, file: Path, options: argparse.Namespace) -> None:
    """Write one file, and say where it is."""
    if kind == "fit":
        fit.save(file, overwrite=options.overwrite)
    elif kind == "csv":
        fit.to_frame(ci_prob=options.ci_prob).to_csv(file)
    else:
        plots = {each.name: each for each in bs.plots.every_plot()}
        plots[kind].draw(fit, backend="matplotlib").savefig(file)
    word = {"fit": "Fit:", "csv": "Path:"}.get(kind, "Figure:")
    _tell(f"{word:<7} {file.resolve()}", options)


def _report(options: argparse.Namespace) -> int:
    from bayes_synth.api import load

    _require_probability(options.ci_prob)
    for name in ("strict", "neighbours", "covariates"):
        if options.no_checks and getattr(options, name):
            raise OptionError("O050", f"--{name} needs the checks: leave --no-checks out.")
    fit, page = load(options.fit), options.output or options.fit.with_suffix(".html")
    if page.suffix not in PAGES:
        raise LoadError("L005", f"the page must end in one of {listed(PAGES)}, got {page.name!r}.")
    _require_free([page], options)
    page.parent.mkdir(parents=True, exist_ok=True)
    checks = None if options.no_checks else _checked(fit, options)
    text = fit.report(PAGES[page.suffix], checks=checks, ci_prob=options.ci_prob)
    page.write_text(text, encoding="utf-8")
    if options.json:
        _print_json(_report_facts(fit, checks, options) | {"files": [str(page.resolve())]})
    elif checks is not None:
        _tell(_verdicts(checks), options)
    _tell(f"Report: {page.resolve()}", options)
    failed = checks is not None and checks.verdict == "fail"
    doubted = options.strict and (failed or fit.alarms)
    return FINE if fit.ok and not doubted else DOUBTFUL


def _checked(fit: "bs.Fit", options: argparse.Namespace) -> "Checks":
    from bayes_synth.data.text_file import read_unit_rows

    table = None if options.covariates is None else read_unit_rows(options.covariates)
    return bs.checks.run(
        fit,
        neighbours=options.neighbours,
        covariates=table,
        random_seed=options.seed,
        progressbar=not options.quiet,
    )


def _verdicts(checks: "Checks") -> str:
    """Name the checks that do not pass, the worst first."""
    verdicts = checks.table["verdict"]
    parts = [
        f"{word}: {listed(names, 20)}"
        for word in ("fail", "caution")
        if len(names := verdicts.index[verdicts == word])
    ]
    return f"Checks: {'; '.join(parts) or 'none fails, none asks for caution'}"


def _report_facts(
    fit: "bs.Fit", checks: "Checks | None", options: argparse.Namespace
) -> dict[str, Any]:
    from bayes_synth.report.facts import check_facts, facts

    verdicts = {} if checks is None else check_facts(checks)
    return facts(fit, options.ci_prob) | {"checks": verdicts}


def _tell(text: str, options: argparse.Namespace) -> None:
    """Say where a file is, unless the output is JSON, which says so itself."""
    if not options.json:
        from bayes_synth.report.terminal import say

        say(text)


def _print_json(facts: dict[str, Any]) -> None:
    import json

    print(json.dumps({"bayes_synth": bs.__version__} | facts, indent=2, allow_nan=False))


if __name__ == "__main__":
    sys.exit(main())

"""A fit as a folder of tables for spreadsheets, R and LaTeX, each column described."""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import pandas as pd
import xarray as xr

from bayes_synth.checks.result import Checks
from bayes_synth.errors import LoadError, OptionError
from bayes_synth.report.cite import cited
from bayes_synth.report.dictionary import GAPS, dictionary
from bayes_synth.report.headline import alarms
from bayes_synth.report.methods import methods_text, references
from bayes_synth.report.tables import effects_latex, weights_latex
from bayes_synth.results.answers import AbstractFit
from bayes_synth.results.effects import IntervalKind, require_interval
from bayes_synth.words import listed, short, suggestion

__all__ = ["NAMES", "DrawsFormat", "Plan", "export"]

DrawsFormat = Literal["csv", "parquet", "none"]
TABLES = ("effects", "path", "weights", "checks", "draws", "draws_counterfactual")
NAMES = (
    *(f"{name}.csv" for name in TABLES),
    *(f"{name}.parquet" for name in ("draws", "draws_counterfactual")),
    "dictionary.csv",
    "effects.tex",
    "weights.tex",
    "methods.txt",
    "references.bib",
    "README.md",
    "fit.xlsx",
)
"""Everything that an export may write; nothing else in the folder is touched."""
ROWS, COLUMNS = 1_048_576 - 1, 16_384
"""Rows of a sheet below its head, and its columns."""


class Plan(NamedTuple):
    """What to write: format of the draws, whether a workbook, and the intervals."""

    draws: DrawsFormat
    workbook: bool
    ci_prob: float
    ci_kind: IntervalKind


def export(
    fit: AbstractFit,
    folder: str | PathLike[str],
    plan: Plan,
    *,
    checks: Checks | None = None,
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """Write the folder; see :meth:`bayes_synth.Fit.export`."""
    target = Path(folder)
    _require_possible(plan)
    _require_free(target, overwrite)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".exporting_", dir=target) as place:
        written = _write(fit, Path(place), plan, checks)
        for name in NAMES:
            # What an earlier export wrote and this one does not would belong to another fit.
            (target / name).unlink(missing_ok=True)
        for name in written:
            (Path(place) / name).replace(target / name)
    return tuple(target / name for name in written)


def _require_possible(plan: Plan) -> None:
    require_interval(plan.ci_prob, plan.ci_kind)
    if plan.draws not in get_args(DrawsFormat):
        raise OptionError(
            "O047",
            f'draws must be "csv", "parquet" or "none", got {plan.draws!r}. '
            f"{suggestion(plan.draws, get_args(DrawsFormat))}",
        )
    if plan.workbook and find_spec("openpyxl") is None:
        raise LoadError(
            "L010", "workbook=True needs openpyxl: pip install openpyxl, or open the CSV files."
        )
    if plan.draws == "parquet" and not any(map(find_spec, ("pyarrow", "fastparquet"))):
        raise LoadError(
            "L011", 'draws="parquet" needs pyarrow: pip install pyarrow, or write draws="csv".'
        )


def _require_free(target: Path, overwrite: bool) -> None:
    if target.exists() and not target.is_dir():
        raise LoadError("L012", f"folder must be a folder, got the file {target}.")
    there = [name for name in NAMES if (target / name).exists()]
    if there and not overwrite:
        raise LoadError(
            "L012",
            f"{target} holds an export already ({listed(there, 3)}); pass overwrite=True to "
            "replace it, or choose another folder.",
        )


def _write(fit: AbstractFit, place: Path, plan: Plan, checks: Checks | None) -> tuple[str, ...]:
    """Write every file into a folder and return their names, in the order of the README."""
    tables = _tables(fit, plan, checks)
    described = dictionary(fit, tables)
    for name, table in tables.items():
        if name.startswith("draws") and plan.draws == "parquet":
            table.to_parquet(place / f"{name}.parquet", index=False)
        else:
            table.to_csv(place / f"{name}.csv", index=False)
    described.to_csv(place / "dictionary.csv", index=False)
    texts: Mapping[str, Callable[[], str]] = {
        "effects.tex": lambda: effects_latex(fit, plan.ci_prob, plan.ci_kind),
        "weights.tex": lambda: weights_latex(fit),
        "methods.txt": lambda: methods_text(fit),
        "references.bib": lambda: cited(references(fit), "bibtex"),
    }
    for name, text in texts.items():
        (place / name).write_text(text(), encoding="utf-8")
    if plan.workbook:
        _write_workbook(place / "fit.xlsx", tables | {"dictionary": described})
    (place / "README.md").write_text(_readme(fit, place, plan), encoding="utf-8")
    return tuple(name for name in NAMES if (place / name).exists())


def _tables(fit: AbstractFit, plan: Plan, checks: Checks | None) -> dict[str, pd.DataFrame]:
    """Return every table with its index as a column."""
    options = {"ci_prob": plan.ci_prob, "ci_kind": plan.ci_kind}
    path = fit.to_frame(**options).rename_axis(fit.panel.time)  # type: ignore[arg-type]
    tables = {
        "effects": _effects(fit, plan),
        "path": path.set_axis(_dates(path.index)),
        "weights": fit.weights(**options),  # type: ignore[arg-type]
    }
    if checks is not None:
        tables["checks"] = checks.table
    flat = {name: _indexed(table) for name, table in tables.items()}
    if plan.draws != "none":
        flat |= {"draws": _draws(fit), "draws_counterfactual": _counterfactual(fit)}
    return flat


def _effects(fit: AbstractFit, plan: Plan) -> pd.DataFrame:
    """Return the summary, with what each row is measured in before its numbers."""
    table = fit.summary(ci_prob=plan.ci_prob, ci_kind=plan.ci_kind).rename_axis("effect")
    table.insert(0, "measure", table.pop("measure").replace("", "fraction"))
    return table


def _indexed(table: pd.DataFrame) -> pd.DataFrame:
    """Make the index a column, also where the panel calls its times like a column of ours."""
    name = str(table.index.name)
    return table.rename_axis(f"{name}_label" if name in table.columns else name).reset_index()


def _dates(index: pd.Index) -> pd.Index:
    """Write days without a clock, as spreadsheets read them."""
    if not isinstance(index, pd.DatetimeIndex):
        return index
    return pd.Index([short(moment) for moment in index], name=index.name)


def _draws(fit: AbstractFit) -> pd.DataFrame:
    """Return one row per posterior draw: effects that are one number, noise, and weights."""
    posterior, effects = fit.idata["posterior"].to_dataset(), fit.effects
    numbers = {
        str(name): values
        for source in (effects, posterior)
        for name, values in source.data_vars.items()
        if set(values.dims) == {"chain", "draw"} and name in _wanted(fit, effects)
    }
    weights = {
        f"weight[{donor}]": posterior["weights"].isel(donor=place, drop=True)
        for place, donor in enumerate(fit.panel.donors)
    }
    return _by_draw(numbers | weights)


def _wanted(fit: AbstractFit, effects: xr.Dataset) -> set[str]:
    return {*map(str, effects.data_vars), *fit.problem.priors}


def _counterfactual(fit: AbstractFit) -> pd.DataFrame:
    """Return one row per posterior draw, with the counterfactual of each treated period."""
    path = fit.counterfactual.sel(time=fit.panel.post.to_numpy())
    periods = {
        short(label): path.isel(time=place, drop=True) for place, label in enumerate(fit.panel.post)
    }
    return _by_draw(periods)


def _by_draw(columns: Mapping[str, xr.DataArray]) -> pd.DataFrame:
    first = next(iter(columns.values()))
    chains, draws = (first[dim].to_numpy() for dim in ("chain", "draw"))
    flat = {
        name: values.transpose("chain", "draw").to_numpy().ravel()
        for name, values in columns.items()
    }
    index = pd.MultiIndex.from_product([chains, draws], names=["chain", "draw"])
    return pd.DataFrame(flat, index=index).reset_index()


def _write_workbook(path: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write a sheet per table; draws that a sheet cannot hold stay in their own file."""
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        for name, table in tables.items():
            if len(table) <= ROWS and table.shape[1] <= COLUMNS:
                table.to_excel(book, sheet_name=name, index=False)
                for row in book.sheets[name].iter_rows():
                    _keep_texts(row)


def _keep_texts(row: Iterable[Any]) -> None:
    """Keep labels that begin like a formula from being one."""
    for cell in row:
        if cell.data_type == "f":
            cell.data_type = "s"


SHOWN = {
    "effects.csv": "effects that are one number: median, interval, probabilities, diagnostics",
    "path.csv": "one row per period: observed, synthetic, gap, counterfactual, effect, cumulative",
    "weights.csv": "donor weights",
    "checks.csv": "answers of the checks",
    "draws": "posterior draws of effects, noise and weights, one row each",
    "draws_counterfactual": "posterior draws of the counterfactual, one column per treated period",
    "dictionary.csv": "what each column means, and its measure",
    "effects.tex, weights.tex": "tables for LaTeX (package booktabs)",
    "methods.txt, references.bib": "a methods paragraph, and its references",
    "fit.xlsx": "all tables as sheets",
}


def _readme(fit: AbstractFit, place: Path, plan: Plan) -> str:
    """Say what each file is, what the two differences are, and what must not be summed."""
    suffix = {"draws": f".{plan.draws}", "draws_counterfactual": f".{plan.draws}"}
    names = {f"{name}{suffix.get(name, '')}": text for name, text in SHOWN.items()}
    rows = [
        f"- `{name}`: {text}"
        for name, text in names.items()
        if (place / name.split(",")[0]).exists()
    ]
    warning = "".join(f"\n**{alarm}**\n" for alarm in alarms(fit))
    several = (
        f"\nTotal and cumulative are summed over the {len(fit.panel.treated)} treated units; all "
        "other numbers are per treated unit, their mean.\n"
        if len(fit.panel.treated) > 1
        else ""
    )
    return (
        f"# Synthetic control of {fit.panel.treated_name}, {fit.panel.outcome}\n{warning}\n"
        + "\n".join(rows)
        + f"\n\n## Gap and effect\n\n{GAPS}\n{several}\n"
        "## Do not sum intervals\n\nMedians and interval ends of single periods do not add up to "
        "those of a total: take the total from `effects.csv`, or sum the draws.\n"
    )

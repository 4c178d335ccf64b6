"""Make the shipped CSV files from the packages that publish the figures.

``uv run python tests/benchmarks/make_datasets.py FOLDER``, where FOLDER holds the unpacked CausalPy
0.9.0 wheel (``causalpy/data/california_prop99.csv``, Apache-2.0) and the unpacked causaldata 0.1.5
source (MIT).
"""

import sys
from pathlib import Path

import pandas as pd

from bayes_synth.data.simulate import simulate

HOME = Path(__file__).parents[2] / "bayes_synth" / "datasets"
CODES = """
Alabama,Alaska,Arizona,Arkansas,California,Colorado,Connecticut,Delaware,District of Columbia,
Florida,Georgia,Hawaii,Idaho,Illinois,Indiana,Iowa,Kansas,Kentucky,Louisiana,Maine,Maryland,
Massachusetts,Michigan,Minnesota,Mississippi,Missouri,Montana,Nebraska,Nevada,New Hampshire,
New Jersey,New Mexico,New York,North Carolina,North Dakota,Ohio,Oklahoma,Oregon,Pennsylvania,
Rhode Island,South Carolina,South Dakota,Tennessee,Texas,Utah,Vermont,Virginia,Washington,
West Virginia,Wisconsin,Wyoming
""".replace("\n", "").split(",")


def prop99(folder: Path) -> pd.DataFrame:
    """39 states, wide to long; the file carries float32 noise, so one decimal."""
    wide = pd.read_csv(folder / "causalpy/data/california_prop99.csv")
    return (
        wide.melt("Year", var_name="state", value_name="cigsale")
        .rename(columns={"Year": "year"})
        .round(1)
    )


def texas(folder: Path) -> pd.DataFrame:
    """50 states and Washington, DC: black male prisoners."""
    data = pd.read_stata(folder / "causaldata-0.1.5/causaldata/texas/texas.dta")
    return data[["state", "year", "bmprison"]].astype({"year": int, "bmprison": int})


def castle(folder: Path) -> pd.DataFrame:
    """Florida and the states that never adopted; codes are alphabetical, with Washington, DC."""
    data = pd.read_stata(folder / "causaldata-0.1.5/causaldata/castle/castle.dta")
    adopted = data.groupby("sid")["post"].transform("max") > 0
    data = data[~adopted | (data["sid"] == CODES.index("Florida") + 1)]
    names = [CODES[code - 1] for code in data["sid"]]
    return data.assign(state=names, homicide=data["homicide"].round(4).astype(str))[
        ["state", "year", "homicide"]
    ]


def geo_test(folder: Path) -> pd.DataFrame:
    """24 markets, 90 days before and 28 days of a campaign worth 120 orders a day in one."""
    made = simulate(
        donors=23, pre=90, post=28, factors=3, active=4, level=2000.0, spread=600.0, noise=60.0,
        drift=8.0, effect=120.0, start="2025-05-01", season=0.08, random_seed=20250501,
    )  # fmt: skip
    wide = made.panel.outcomes.to_pandas().round().astype(int)
    names = {
        label: f"market {i:02d}"
        for i, label in enumerate(sorted(set(wide.columns) - {"treated"}), start=1)
    }
    long = wide.rename(columns=names | {"treated": "Springfield"}).rename_axis("date").reset_index()
    return long.melt("date", var_name="market", value_name="orders")


if __name__ == "__main__":
    for make in (prop99, texas, castle, geo_test):
        table = make(Path(sys.argv[1]))
        table.to_csv(HOME / f"{make.__name__}.csv", index=False)

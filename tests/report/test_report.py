"""The report: no sentence may contradict the draws, the table, or another sentence."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import bayes_synth as bs
from bayes_synth.__main__ import main
from bayes_synth.checks.result import Check, Checks
from bayes_synth.errors import OptionError
from bayes_synth.report.sections import effect_table, sections
from bayes_synth.testing import fake_fit, fake_panel

NUMBER = r"([+-]?[\d,.]+%?)"
ANSWER = re.compile(
    rf"was {NUMBER} (lower|higher) than .*? credible interval \((ETI|HDI)\) is "
    rf"{NUMBER} to {NUMBER}; it (excludes|includes) zero\. "
    r"The probability that the treatment made it (lower|higher) is (above |below )?([\d.]+) "
    r"\(two-sided p ([=<>] [\d.]+)\)\."
)


def random_fit(seed: int):
    """Some effects large, some small, some fits not converged, some donors useless."""
    rng = np.random.default_rng(seed)
    effect = float(rng.normal(scale=rng.choice([0.3, 2.0])))
    panel = fake_panel(
        effect=effect,
        donors=int(rng.integers(3, 9)),
        dates=bool(rng.random() < 0.3),
        random_seed=seed,
    )
    noise = rng.choice([bs.noise.LocalLevel(), bs.noise.IID(), bs.noise.IID(intercept=False)])
    broken = int(rng.random() < 0.3) * 40
    model = bs.SyntheticControl(noise=noise)
    return fake_fit(
        panel=panel, model=model, draws=110, chains=2, divergences=broken, random_seed=seed
    )


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(block, marks=pytest.mark.slow) for block in range(1, 10))]
)
def test_three_hundred_reports_never_contradict_their_draws(block):
    for seed in range(30 * block, 30 * block + 30):
        fit = random_fit(seed)
        prob, kind = [(0.95, "eti"), (0.8, "hdi")][seed % 2]
        text = " ".join(fit.report(ci_prob=prob, ci_kind=kind).split())
        found = ANSWER.search(text)
        assert found, text[:900]
        amount, word, said_kind, low, high, zero, again, _, mass, both = found.groups()
        effect = fit.effect("average")
        bounds = effect.interval(prob, kind).to_numpy()
        table = effect_table(fit, prob, kind).loc["average per period"]
        assert word == again == ("lower" if float(effect.draws.median()) < 0 else "higher")
        assert said_kind == kind.upper()
        assert (zero == "excludes") == bool(bounds[0] > 0 or bounds[1] < 0)
        assert [low, high] == [table["lower"], table["upper"]]
        assert amount == table["median"].lstrip("+-")
        sided = "P(< 0)" if word == "lower" else "P(> 0)"
        assert table[sided].strip("<> ") == mass
        assert table["two-sided p"] == both.removeprefix("= ")
        assert f"{100 * prob:g}% credible interval" in text
        assert text.index("Question") > 0
        assert ("NOT CONVERGED" in text) == (not fit.ok)
        assert ("POOR FIT" in text) == fit.fit_verdict.clearly_poor
        if not fit.ok or fit.fit_verdict.clearly_poor:
            assert text.index("Before you read on") < text.index("Question")
        assert "significant" not in text.lower()
        if zero == "includes":
            assert "The interval includes zero: a clearer answer" in text
        else:
            assert "would bring the interval to zero" in text


class Reader(HTMLParser):
    """What a page holds: its tags, its words, and where its pictures come from."""

    def __init__(self):
        super().__init__()
        self.tags, self.words, self.sources = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def hostile():
    """A fit whose labels are markup."""
    table = fake_panel(effect=3.0).outcomes.to_pandas()
    table = table.rename(
        columns={"treated": "<script>alert(1)</script>", "donor_00": "a|b & *c* [x](y)"}
    )
    panel = bs.Panel.from_wide(
        table, treated="<script>alert(1)</script>", start=2020, outcome="<b>sales|x</b>"
    )
    return fake_fit(panel=panel)


def test_the_page_needs_nothing_but_itself_and_escapes_labels(hostile):
    page = hostile.report("html")
    reader = Reader()
    reader.feed(page)
    assert not {"script", "b", "link", "iframe"} & set(reader.tags)
    assert "<script>alert(1)</script>" in " ".join(reader.words)
    assert reader.tags.count("img") == 3
    assert all(source.startswith("data:image/png;base64,") for source in reader.sources)
    assert len(page) < 2_000_000
    assert "prefers-color-scheme:dark" in page
    assert "@media print" in page


def test_markdown_keeps_labels_as_words(hostile):
    text = hostile.report("markdown")
    assert "<script>" not in text
    assert r"a\|b &amp; \*c\* \[x\](y)" in text
    rows = [line for line in text.splitlines() if line.startswith(r"| a\|b")]
    assert len(rows) == 1
    head = next(line for line in text.splitlines() if "effect on" in line)
    assert head.replace(r"\|", "").count("|") == 8


def answered(verdict="fail"):
    return Checks(
        (
            Check(
                "x", "Is it round?", verdict, "It has 4 corners.", bs.load_dataset("prop99").report
            ),
        )
    )


def test_checks_stand_with_their_verdicts_and_bad_ones_would_change_the_conclusion(fake):
    text = " ".join(fake.report(checks=answered()).split())
    assert "It has 4 corners." in text.split("What no check can test")[0]
    assert "Is it round? Fail: It has 4 corners." in text
    assert "Is it round? Pass" not in fake.report(checks=answered("pass"))
    assert "were not run for this report" in " ".join(fake.report().split())


def test_every_section_comes_in_the_order_of_reading(fake):
    titles = [part.title for part in sections(fake, None, 0.95, "eti")]
    assert titles == [
        "Before you read on",
        "Question",
        "Answer",
        "Data",
        "Donors",
        "Model",
        "Can it be trusted?",
        "What no check can test",
        "What would change the conclusion",
        "How this was made",
    ]


def test_what_a_report_cannot_be_is_refused(fake):
    with pytest.raises(OptionError, match=r"O001\] kind must be .*, got 'pdf'"):
        fake.report("pdf")
    with pytest.raises(OptionError, match=r"O004.*0\.95"):
        fake.report(ci_prob=95)


def test_missing_outcomes_are_said(fake):
    outcomes = fake.panel.outcomes.copy()
    outcomes.loc[{"time": 2021, "unit": "treated"}] = np.nan
    fit = fake_fit(panel=bs.Panel(outcomes, ("treated",), 2020))
    sentence = (
        "The treated unit has no outcome at 2021: no effect there, "
        "and averages and totals leave it out."
    )
    assert sentence in " ".join(fit.report().split())


@pytest.mark.long
@pytest.mark.parametrize("suffix", [".html", ".md", ".txt"])
def test_the_command_line_writes_the_page(suffix, fake, tmp_path, capsys):
    fake.save(tmp_path / "fit.nc")
    page = tmp_path / f"page{suffix}"
    code = main(["report", str(tmp_path / "fit.nc"), "-o", str(page), "--no-checks", "--quiet"])
    assert code == (0 if fake.ok else 1)
    assert "Can it be trusted?" in page.read_text(encoding="utf-8")
    assert str(page) in capsys.readouterr().out


def test_the_command_line_refuses_other_pages(fake, tmp_path, capsys):
    fake.save(tmp_path / "fit.nc")
    assert (
        main(["report", str(tmp_path / "fit.nc"), "-o", str(tmp_path / "page.pdf"), "--no-checks"])
        == 2
    )
    assert "[L005]" in capsys.readouterr().err


def test_the_headline_names_the_core_donors_and_the_sources_of_variance(fake):
    lines = dict(line.split(maxsplit=1) for line in repr(fake).splitlines()[-7:])
    number, share = r"[\d.e+-]+", r"\d+%"
    assert re.fullmatch(
        rf"core donors donor_00 {number}, donor_01 {number} \(80% of the weight with probability "
        rf"(> |< )?{number}\); \d donors alone reproduce the counterfactual to {number} sales",
        lines["weights"],
    )
    assert re.fullmatch(
        rf"forecast variance: drift \(q\) {share}, noise \(s\) {share}, weights and level {share}",
        lines["variance"],
    )

"""The library and the papers that it rests on, as text or BibTeX."""

from importlib.metadata import version
from typing import Literal, NamedTuple, get_args

from bayes_synth.errors import OptionError
from bayes_synth.words import suggestion

__all__ = ["REFERENCES", "Reference", "cite", "cited"]

Style = Literal["text", "bibtex"]


class Reference(NamedTuple):
    """Hold one paper: authors, year, title, journal, and volume, number, pages or DOI if known."""

    authors: tuple[str, ...]
    year: int
    title: str
    journal: str
    volume: str = ""
    number: str = ""
    doi: str = ""

    @property
    def text(self) -> str:
        """Write it as a line of a list of references."""
        people = [author.split(", ")[0] for author in self.authors]
        who = ", ".join(people[:-1]) + f" and {people[-1]}" if len(people) > 1 else people[0]
        issue = f" {self.volume}" + (f"({self.number})" if self.number else "")
        doi = f", doi:{self.doi}" if self.doi else ""
        return f"{who} ({self.year}). {self.title}. {self.journal}{issue.rstrip()}{doi}."

    def bibtex(self, key: str) -> str:
        """Write it as an entry of a BibTeX file."""
        fields = {
            "author": " and ".join(self.authors),
            "title": f"{{{self.title}}}",
            "journal": self.journal.replace("&", r"\&"),
            "year": str(self.year),
            "volume": self.volume,
            "number": self.number,
            "doi": self.doi,
        }
        rows = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
        return f"@article{{{key},\n" + ",\n".join(rows) + "\n}"


REFERENCES = {
    "abadie2010": Reference(
        ("Abadie, Alberto", "Diamond, Alexis", "Hainmueller, Jens"),
        2010,
        "Synthetic control methods for comparative case studies",
        "Journal of the American Statistical Association",
        "105",
        "490",
        "10.1198/jasa.2009.ap08746",
    ),
    "abadie2021": Reference(
        ("Abadie, Alberto",),
        2021,
        "Using synthetic controls: feasibility, data requirements, and methodological aspects",
        "Journal of Economic Literature",
        "59",
        "2",
        "10.1257/jel.20191450",
    ),
    "ferman2021": Reference(
        ("Ferman, Bruno", "Pinto, Cristine"),
        2021,
        "Synthetic controls with imperfect pretreatment fit",
        "Quantitative Economics",
        "12",
        "4",
        "10.3982/QE1596",
    ),
    "vehtari2021": Reference(
        (
            "Vehtari, Aki",
            "Gelman, Andrew",
            "Simpson, Daniel",
            "Carpenter, Bob",
            "Bürkner, Paul-Christian",
        ),
        2021,
        "Rank-normalization, folding, and localization: an improved R-hat for assessing "
        "convergence of MCMC",
        "Bayesian Analysis",
        "16",
        "2",
        "10.1214/20-BA1221",
    ),
    "neal2003": Reference(
        ("Neal, Radford M.",),
        2003,
        "Slice sampling",
        "The Annals of Statistics",
        "31",
        "3",
        "10.1214/aos/1056562461",
    ),
    "pymc2023": Reference(
        ("Abril-Pla, Oriol", "Andreani, Virgile", "Carroll, Colin", "Dong, Larry", "others"),
        2023,
        "PyMC: a modern, and comprehensive probabilistic programming framework in Python",
        "PeerJ Computer Science",
        "9",
        "",
        "10.7717/peerj-cs.1516",
    ),
}
"""Papers by key, in the order in which they are listed."""


def cite(style: Style = "text") -> str:
    """Cite the library and the papers that it rests on.

    Parameters
    ----------
    style
        ``"text"``, one reference per line, or ``"bibtex"``.

    Returns
    -------
    str
        The library with its version first; of a fit, ``fit.methods_text()`` lists only the papers
        that it used.

    Raises
    ------
    OptionError
        O046 for another style.

    Examples
    --------
    >>> bs.cite("bibtex").count("@") > 3
    True
    """
    return cited(tuple(REFERENCES), style)


def cited(keys: tuple[str, ...], style: Style = "text", number: str = "") -> str:
    """Cite the library, of this version or the installed one, and the papers with these keys."""
    if style not in get_args(Style):
        hint = suggestion(style, get_args(Style))
        raise OptionError("O046", f'style must be "text" or "bibtex", got {style!r}. {hint}')
    number = number or version("bayes_synth")
    who, what = "The bayes_synth developers", "bayes_synth: Bayesian synthetic control"
    if style == "text":
        lines = [f"{who} (2026). {what}, version {number}. Python library."]
        return "\n".join([*lines, *(REFERENCES[key].text for key in keys)]) + "\n"
    software = (
        f"@software{{bayes_synth,\n  author = {{{{{who}}}}},\n  title = {{{{{what}}}}},\n"
        f"  year = {{2026}},\n  version = {{{number}}}\n}}"
    )
    return "\n\n".join([software, *(REFERENCES[key].bibtex(key) for key in keys)]) + "\n"

"""What is known of each method, from one file: names, recorded runs, map and tables are made from it.

Nothing here imports a method, so that reading the registry does not wait for PyTorch.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Aim", "Family", "MethodEntry", "MethodFacts", "PublishedFigure", "families", "registry", "taxonomy"]

#: The sets of arguments that a recorded run can have.
PROFILE_NAMES = ("smoke", "book", "full")
_FILE = Path(__file__).with_name("methods.toml")
_METRICS = ("acc", "nmi", "ari")


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """What a paper reports of a method on one data set.

    Attributes
    ----------
    dataset, split : str
        As `load_dataset` takes them.
    metrics : dict of str to float
        Fractions by ``"acc"``, ``"nmi"`` and ``"ari"``; those that the paper reports.
    name : str
        Of the method, or of the variant that the figure belongs to.
    cite : str
        The paper's key in the book's bibliography.
    note : str
        What a reader must know to compare it, else empty.
    """

    dataset: str
    split: str = "all"
    metrics: Mapping[str, float]
    name: str
    cite: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What a recorded run should reach: a least figure, or more than other methods.

    Attributes
    ----------
    dataset, profile : str
        Of the runs that it is about, which are fitted on and scored on all of the data set.
    metric : {"acc", "nmi", "ari"}
        The score.
    least : float or None
        The mean over seeds should not be below it; None where others are to be beaten.
    above : tuple of str
        The classes whose means should be lower.
    start : str or None
        The name of the bundled autoencoder that the runs start from; None where they have their own pre-training.
    """

    dataset: str
    profile: str
    metric: str
    least: float | None = None
    above: tuple[str, ...] = ()
    start: str | None = None


@dataclass(frozen=True, kw_only=True)
class MethodEntry:
    """What the registry holds of every method, the baselines included.

    Attributes
    ----------
    name : str
        As its paper writes it.
    module : str or None
        Where its class is, below ``dctutor.methods``; None if there is none yet.
    profiles : dict of str to dict
        What each profile of a recorded run sets; see `profile`.
    small : dict
        Arguments that make a fit small enough for tests.
    aims : tuple of Aim
        What its recorded runs should reach.
    published : tuple of PublishedFigure
        What papers report of it.
    figures_checked : bool
        Whether the tables of its paper were at hand.
    why : str
        Label of the section on the page of measured runs that says what decides its results, and what was tried where
        they are below the paper's; empty if there is none.
    """

    name: str
    module: str | None = None
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    small: Mapping[str, Any] = field(default_factory=dict)
    aims: tuple[Aim, ...] = ()
    published: tuple[PublishedFigure, ...] = ()
    figures_checked: bool = True
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class MethodFacts(MethodEntry):
    """A row of the survey's taxonomy; equation numbers in the texts are the survey's.

    It also has what every `MethodEntry` has. Three methods are called DAC; `detail` tells them apart.

    Attributes
    ----------
    family : str
        The ``id`` of its `Family`.
    year : int
        Of the paper.
    cite : str
        The paper's key in the book's bibliography.
    architecture : str
        Kind of network (survey section 2).
    nonclustering, clustering : str
        Losses (3.1, 3.2); ``"none"`` where there is none.
    schedule : str
        How the two are combined over training (3.3).
    features : str
        What the clusters are found in (5).
    detail : str
        What tells methods of one name apart, else empty.
    assumes : str
        What the method takes for granted of the data; empty where no page compares it.
    chapter : str or None
        Page of the book that teaches it; None if it is planned.
    in_survey : bool
        Whether the survey's sections 6.1 to 6.4 list it.
    """

    family: str
    year: int
    cite: str
    architecture: str
    nonclustering: str
    clustering: str
    schedule: str
    features: str
    detail: str = ""
    assumes: str = ""
    chapter: str | None = None
    in_survey: bool = True


@dataclass(frozen=True, kw_only=True)
class Family:
    """Methods on one kind of network.

    Attributes
    ----------
    id, name : str
        A short name for code, and one for readers.
    section : str
        Of the survey.
    summary : str
        A sentence.
    methods : dict of str to MethodFacts
        By the name of the class in `dctutor.methods`, existing or planned.
    page : str or None
        Page of the book that introduces it.
    """

    id: str
    name: str
    section: str
    summary: str
    methods: dict[str, MethodFacts]
    page: str | None = None


@cache
def _read() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def _settings(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as Python has them: TOML has no tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}


def _parsed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a `MethodEntry`, or of a class that has more, from an entry of the file."""
    fields = dict(entry)
    fields["profiles"] = {name: _settings(found) for name, found in entry.get("profiles", {}).items()}
    fields["small"] = _settings(entry.get("small", {}))
    fields["aims"] = tuple(Aim(**_settings(aim)) for aim in entry.get("aims", ()))
    title = f"{entry['name']} ({entry['detail']})" if "detail" in entry else entry["name"]
    figures = []
    for figure in entry.get("published", ()):
        told = {"name": title, "cite": entry.get("cite")} | figure
        metrics = {name: told.pop(name) for name in _METRICS if name in told}
        figures.append(PublishedFigure(metrics=metrics, **told))
    fields["published"] = tuple(figures)
    return fields


def families() -> list[Family]:
    """The survey's families (6.1 to 6.4) and the book's own, with their methods.

    Returns
    -------
    list of Family
        In the order of the survey.
    """
    found = []
    for entry in _read()["families"]:
        methods = {key: MethodFacts(family=entry["id"], **_parsed(facts)) for key, facts in entry["methods"].items()}
        found.append(Family(**entry | {"methods": methods}))
    return found


def taxonomy() -> dict[str, MethodFacts]:
    """Facts of every method, those that have no chapter yet included.

    Returns
    -------
    dict of str to MethodFacts
        By the name of the class in `dctutor.methods`, existing or planned; in the order of `families`.

    Examples
    --------
    >>> from dctutor.methods import taxonomy
    >>> taxonomy()["IDEC"].clustering
    'assignment hardening (7)'
    """
    return {key: facts for family in families() for key, facts in family.methods.items()}


def registry() -> dict[str, MethodEntry]:
    """All entries: what the methods are compared with, and then those of `taxonomy`.

    Returns
    -------
    dict of str to MethodEntry
        By the name of the class in `dctutor.methods`. A planned method, and a baseline that is known from papers
        alone, have no class.

    Examples
    --------
    >>> from dctutor.methods import registry
    >>> registry()["DEC"].module
    'cdnn.dec'
    """
    baselines = {key: MethodEntry(**_parsed(entry)) for key, entry in _read()["baselines"].items()}
    return baselines | taxonomy()


def homes() -> dict[str, str]:
    """Modules of the classes that there are, by the classes' names, in alphabetical order."""
    found = {key: entry.module for key, entry in registry().items() if entry.module is not None}
    return {key: f"dctutor.methods.{found[key]}" for key in sorted(found)}

"""What is known of each method, from one file: the book's map and table are made from it too."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Family", "MethodFacts", "families", "taxonomy"]

_FILE = Path(__file__).with_name("methods.toml")


@dataclass(frozen=True, kw_only=True)
class MethodFacts:
    """A row of the survey's taxonomy; equation numbers in the texts are the survey's.

    Attributes
    ----------
    name : str
        As its paper writes it. Three methods are called DAC; `detail` tells them apart.
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

    name: str
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


def families() -> list[Family]:
    """The survey's families (6.1 to 6.4) and the book's own, with their methods.

    Returns
    -------
    list of Family
        In the order of the survey.
    """
    found = []
    for entry in tomllib.loads(_FILE.read_text(encoding="utf-8"))["families"]:
        methods = {key: MethodFacts(family=entry["id"], **facts) for key, facts in entry.pop("methods").items()}
        found.append(Family(methods=methods, **entry))
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

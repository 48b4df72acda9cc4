"""One file says what each method is: package, map and table agree with each other and with the book."""

import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from dctutor import methods
from dctutor.methods import MethodFacts, families, taxonomy

ROOT = Path(__file__).resolve().parents[2]
# The algorithms that the survey's sections name.
SURVEY = {
    "6.1": ["DEN", "DSC-Nets", "DMC", "DCN", "DEPICT"],
    "6.2": ["DNC", "DEC", "DBC", "CCNN", "IMSAT", "JULE", "DAC"],
    "6.3": ["VaDE", "GMVAE"],
    "6.4": ["DAC", "CatGAN", "InfoGAN"],
}
BASELINES = {"AutoencoderKMeans"}  # what the methods are compared with


def test_every_method_of_the_survey_is_there_once():
    for family in families():
        listed = [facts.name for facts in family.methods.values() if facts.in_survey]
        assert sorted(listed) == sorted(SURVEY.get(family.section, [])), family.name
    assert len(taxonomy()) == sum(len(family.methods) for family in families())


def test_classes_and_chapters_go_together():
    taught = {name for name, facts in taxonomy().items() if facts.chapter}
    assert set(methods.__all__) - BASELINES == taught


def test_chapters_family_pages_and_papers_exist():
    keys = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), re.M))
    for facts in taxonomy().values():
        assert facts.cite in keys, facts.name
        assert facts.chapter is None or (ROOT / f"{facts.chapter}.ipynb").is_file(), facts.chapter
    for family in families():
        assert family.page is None or (ROOT / f"{family.page}.md").is_file(), family.page


def test_every_choice_is_filled_in():
    for name, facts in taxonomy().items():
        for field in fields(MethodFacts):
            value = getattr(facts, field.name)
            assert value or field.name in ("detail", "assumes", "chapter", "in_survey"), (name, field.name)
    same_name = [facts for facts in taxonomy().values() if facts.name == "DAC"]
    assert len({facts.detail for facts in same_name}) == len(same_name) == 3


def test_facts_are_found_by_the_name_of_the_class_and_cannot_be_spoilt():
    facts = taxonomy()["IDEC"]
    assert (facts.name, facts.family, facts.year, facts.in_survey) == ("IDEC", "autoencoder", 2017, False)
    assert "(7)" in facts.clustering and "(1)" in facts.nonclustering
    with pytest.raises(FrozenInstanceError):
        facts.year = 2018
    taxonomy().clear()
    assert "IDEC" in taxonomy()

"""One file says what each method is: package, map and table agree with each other and with the book."""

import ast
import re
import tomllib
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from dctutor import methods
from dctutor.datasets import available_datasets
from dctutor.estimator.parameters import check_arguments
from dctutor.methods import MethodEntry, MethodFacts, families, registry, taxonomy
from dctutor.methods._registry import PROFILE_NAMES

ROOT = Path(__file__).resolve().parents[2]
# The algorithms that the survey's sections name.
SURVEY = {
    "6.1": ["DEN", "DSC-Nets", "DMC", "DCN", "DEPICT"],
    "6.2": ["DNC", "DEC", "DBC", "CCNN", "IMSAT", "JULE", "DAC"],
    "6.3": ["VaDE", "GMVAE"],
    "6.4": ["DAC", "CatGAN", "InfoGAN"],
}
OPTIONAL = {field.name for field in fields(MethodEntry)} - {"name"} | {"detail", "assumes", "chapter", "in_survey"}
CLASSES = {key: entry for key, entry in registry().items() if entry.module}
BASELINES = registry().keys() - taxonomy().keys()  # what the methods are compared with
METRICS = {"acc", "nmi", "ari"}


def test_every_method_of_the_survey_is_there_once():
    for family in families():
        listed = [facts.name for facts in family.methods.values() if facts.in_survey]
        assert sorted(listed) == sorted(SURVEY.get(family.section, [])), family.name
    assert len(taxonomy()) == sum(len(family.methods) for family in families())


def test_classes_and_chapters_go_together():
    taught = {name for name, facts in taxonomy().items() if facts.chapter}
    assert set(methods.__all__) - BASELINES == taught == {name for name, facts in taxonomy().items() if facts.module}
    assert {"AutoencoderKMeans"} == set(methods.__all__) & BASELINES


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
            assert value or field.name in OPTIONAL, (name, field.name)
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
    settings = registry()["IDEC"].small
    settings.clear()
    registry()["IDEC"].profiles["full"]["epochs"] = -1
    assert registry()["IDEC"].small and registry()["IDEC"].profiles["full"]["epochs"] > 0


@pytest.mark.parametrize("name", CLASSES)
def test_an_entry_leads_to_its_class(name):
    assert name in methods.__all__ and getattr(methods, name).__name__ == name
    assert getattr(methods, name).__module__ == f"dctutor.methods.{CLASSES[name].module}"


@pytest.mark.parametrize("name", CLASSES)
def test_settings_are_arguments_of_their_method(name):
    """A profile that names what its method does not take would stop every run of it."""
    entry, known = CLASSES[name], getattr(methods, name)().get_params()
    assert {"smoke", "full"} <= entry.profiles.keys() <= set(PROFILE_NAMES) and entry.small
    for settings in (entry.small, *entry.profiles.values()):
        assert settings.keys() <= known.keys()
        for key, value in settings.items():
            check_arguments(getattr(methods, name)(**{key: value}))


def test_a_method_that_is_planned_has_nothing_to_run():
    for key, entry in registry().items():
        assert key in CLASSES or not (entry.profiles or entry.small or entry.aims), key


def test_figures_and_aims_are_of_data_and_methods_that_there_are():
    data = {*available_datasets(), *tomllib.loads((ROOT / "book/datasets.toml").read_text(encoding="utf-8"))}
    keys = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), re.M))
    for key, entry in registry().items():
        for figure in entry.published:
            assert figure.cite in keys and figure.dataset in data and figure.split in ("all", "train", "test"), key
            assert figure.metrics and figure.metrics.keys() <= METRICS, key
            assert all(0 < value < 1 for value in figure.metrics.values()), key
        for aim in entry.aims:
            assert aim.dataset in available_datasets() and aim.profile in PROFILE_NAMES and aim.metric in METRICS, key
            assert set(aim.above) <= CLASSES.keys() - {key} and (aim.least is None) == bool(aim.above), key


def test_figures_have_the_names_and_papers_of_their_method_unless_they_have_their_own():
    (dec,) = taxonomy()["DEC"].published
    assert (dec.name, dec.cite, dec.dataset, dec.split) == ("DEC", "xie2016dec", "mnist", "all")
    assert dict(dec.metrics) == {"acc": 0.843}
    assert {figure.name for figure in taxonomy()["DSCNet"].published} == {"DSC-Net-L2"}
    dac = taxonomy()["DeepAutoencoderClustering"].published
    assert {figure.name for figure in dac} == {"DAC (autoencoder-based)"} and {f.split for f in dac} == {"test"}
    assert {figure.cite for figure in registry()["k-means"].published} == {"lu2021dac"}


def test_type_checkers_see_the_classes_of_the_registry():
    """They run nothing, and so read imports that are spelt out; those must be neither fewer nor more."""
    tree = ast.parse(Path(methods.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    spelt = {name.asname: (line.module, name.name) for line in block.body for name in line.names}
    assert spelt == {key: (f"dctutor.methods.{entry.module}", key) for key, entry in CLASSES.items()}

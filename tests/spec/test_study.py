"""The spec as a whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.spec.specs import BASE, spaces, spec, table
from tunefast.recipe.recipe import TrainingRecipe
from tunefast.spec.domains import Choice, DomainPart
from tunefast.spec.sections import Budget
from tunefast.spec.study import StudySpec
from tunefast.spec.study_section import StudySection


@given(spaces())
def test_round_trip(space: dict[str, DomainPart]) -> None:
    """A spec reads back from its JSON as an equal spec, which is how a database keeps it."""
    study = spec().model_copy(update={"space": space})
    assert StudySpec.model_validate_json(study.model_dump_json()) == study
    assert StudySpec.model_validate(study.table()) == study


def test_direction_by_name() -> None:
    """A loss is minimised and an accuracy maximised, unless the spec says otherwise."""
    assert StudySection(name="a", metric="val_accuracy").maximize
    assert not StudySection(name="a", metric="val_loss").maximize
    assert StudySection(name="a", metric="val_loss", direction="maximize").maximize
    assert not StudySection(name="a", metric="perplexity", direction="minimize").maximize


def test_direction_unknown() -> None:
    """A name that does not say which way is better needs a direction; a mistyped one gets its nearest."""
    with pytest.raises(ValidationError, match="direction is missing, and the name 'perplexity' does not say"):
        StudySection(name="a", metric="perplexity")
    with pytest.raises(ValidationError, match=r"Did you mean 'val_accuracy'\?"):
        StudySection(name="a", metric="val_acuracy")


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "a\nb", "x" * 201])
def test_names(name: str) -> None:
    """A study's name can stand in a path and on a line."""
    with pytest.raises(ValidationError):
        StudySection(name=name)


@pytest.mark.parametrize("budget", [{"trials": 0}, {"minutes": 0.0}, {"trials": 1.5}, {"trails": 3}])
def test_budget_refused(budget: dict[str, float]) -> None:
    """A budget is a positive number of trials or minutes."""
    with pytest.raises(ValidationError):
        Budget.model_validate(budget)


def test_search_needs_an_end() -> None:
    """Without trials or minutes only a grid has an end; a target alone may never come."""
    endless = BASE.replace("trials = 3", "target = 0.9")
    with pytest.raises(ValidationError, match="budget: give trials or minutes, or the search has no end"):
        StudySpec.model_validate(table(base=endless))
    StudySpec.model_validate(table(base=endless.replace("target", "minutes")))
    grid = endless.replace("[budget]", 'sampler = { name = "grid" }\n[budget]')
    StudySpec.model_validate(table("[space]\nbatch_size = { choices = [1, 2] }", grid))


@pytest.mark.parametrize(
    ("space", "problem"),
    [
        (
            '"optimizer.lr" = { low = 0.1, high = 0.2 }',
            r'space."optimizer.lr": a grid cannot cover a continuous domain',
        ),
        ("batch_size = { low = 1, high = 1000000 }", r'space."batch_size": a grid cannot .* more than 100,000 values'),
        (
            "batch_size = { low = 1, high = 999 }\nepochs = { low = 1, high = 999 }",
            "more than 100,000 cells in the grid",
        ),
    ],
)
def test_grids_that_cannot_be(space: str, problem: str) -> None:
    """A grid with no end of cells, or more than anyone can train, is refused."""
    grid = BASE.replace("[budget]", 'sampler = { name = "grid" }\n[budget]')
    with pytest.raises(ValidationError, match=problem):
        StudySpec.model_validate(table(f"[space]\n{space}", grid))


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("{ precision = 'fp32' }", "'precision' is not searched; only searched settings can be conditions"),
        ("{ 'optimizer.name' = 'sdg' }", "'optimizer.name' is never 'sdg'. Did you mean 'sgd'?"),
        ("{ 'optimizer.name' = ['sgd', 'adm'] }", "'optimizer.name' is never 'adm'. Did you mean 'adam'?"),
        ("{ epochs = 5 }", "'epochs' is never 5"),
        ("{ batch_size = 1 }", "conditions go in a circle: batch_size"),
    ],
)
def test_conditions_that_never_hold(when: str, problem: str) -> None:
    """A condition that can never be met would silently leave its setting out, so it is refused."""
    space = f"""
    [space]
    "optimizer.name" = {{ choices = ["sgd", "adam"] }}
    epochs = {{ low = 1, high = 4 }}
    batch_size = {{ choices = [1, 2], when = {when} }}
    """
    with pytest.raises(ValidationError) as caught:
        spec(space)
    assert problem in str(caught.value)


def test_recipe_for() -> None:
    """A trial's recipe is the common one with the trial's values put in."""
    study = spec('[space]\n"optimizer.lr" = { low = 1e-3, high = 1.0 }\nepochs = { low = 1, high = 4 }')
    recipe = study.recipe_for({"optimizer.lr": 0.25, "epochs": 2})
    assert isinstance(recipe, TrainingRecipe)
    assert (recipe.optimizer.name, recipe.optimizer.lr, recipe.epochs) == ("sgd", 0.25, 2)
    assert study.recipe["optimizer"] == {"name": "sgd"}


def test_epochs_for() -> None:
    """How long a trial would train is known before its recipe is built: searched, fixed or by default."""
    searched = spec("[space]\nepochs = { low = 1, high = 4 }")
    assert searched.epochs_for({"epochs": 2}) == 2
    assert spec("epochs = 7").epochs_for({}) == 7
    default = spec().recipe_for({})
    assert spec().epochs_for({}) == default.epochs


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_trial_seeds(one: int, other: int) -> None:
    """A trial's seed follows from the study's seed and the number alone."""
    study, reseeded = spec(), spec().model_copy(update={"study": StudySection(name="a", seed=1)})
    assert (study.trial_seed(one) == study.trial_seed(other)) == (one == other)
    assert spec("[space]\nepochs = { low = 1, high = 4 }").trial_seed(one) == study.trial_seed(one)
    assert reseeded.trial_seed(one) != study.trial_seed(one)


@given(spaces())
def test_samples(space: dict[str, DomainPart]) -> None:
    """The parameter sets that a spec is checked with obey its conditions, and try every choice that can be made."""
    study = spec().model_copy(update={"space": space})
    samples = list(study.samples())
    for params in samples:
        assert all((path in params) == domain.holds(params) for path, domain in space.items())
    for path, domain in space.items():
        if isinstance(domain, Choice) and not domain.when:
            assert {params[path] for params in samples} == set(domain.labels)


def test_nothing_searched() -> None:
    """A spec without a space is one recipe, checked once."""
    assert list(spec().samples()) == [{}]


def test_batches_of_own_training_are_not_split() -> None:
    """Where tunefast does not know the batches it cannot halve them, and says so."""
    with pytest.raises(ValidationError, match=r'trial.oom = "split" is for tunefast.s own loop'):
        StudySpec.model_validate(
            {
                "study": {"name": "s", "metric": "val_loss"},
                "budget": {"trials": 1},
                "trial": {"oom": "split"},
                "recipe": {"objective": "mine:run"},
            }
        )

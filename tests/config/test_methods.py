import typing

import pytest

from boldly.config.methods import REGISTRIES, function_of
from boldly.config.options import WORDS, example_options, options_model
from boldly.config.schema import AdapterConfig, GenerationConfig, RunConfig, ScheduleConfig
from boldly.hypotheses import Hypotheses
from boldly.lm.load import Adapter, Dtype
from boldly.lm.model import Generation
from boldly.loop import Schedule
from boldly.oracles.registry import ORACLES

METHODS = [(section, name) for section, registry in REGISTRIES.items() for name in registry]


@pytest.mark.parametrize(("section", "name"), METHODS)
def test_every_registered_method_can_be_configured(section: str, name: str):
    function = function_of(REGISTRIES[section][name])
    model = options_model(function)
    unknown = [word for word, field in model.model_fields.items() if field.is_required() and word not in WORDS]
    assert unknown == [], "an option without a default needs an example in boldly.config.options.WORDS"
    options = example_options(function)
    assert model.model_validate(options).model_dump() == options


def test_a_new_method_needs_no_edit_of_the_configuration():
    def method(view: object, count: int, *, strength: float = 0.5, mode: typing.Literal["a", "b"] = "a") -> None: ...

    model = options_model(method)
    assert model.model_validate({"strength": 1, "mode": "b"}).model_dump() == {"strength": 1.0, "mode": "b"}
    for wrong in ({"strength": "x"}, {"mode": "c"}, {"count": 3}, {"strength": True}, {"strength": float("nan")}):
        with pytest.raises(ValueError, match="1 validation error"):
            model.model_validate(wrong)


def test_a_word_has_the_same_bounds_wherever_it_is_an_option():
    def one(*, beta: float) -> None: ...

    def other(x: int, *, beta: float = 1.0, name: str = "") -> None: ...

    for function in (one, other):
        with pytest.raises(ValueError, match="greater than 0"):
            options_model(function).model_validate({"beta": 0.0})


def test_the_fields_of_a_dataclass_are_options():
    defaults = {name: getattr(Hypotheses(), name) for name in Hypotheses.__dataclass_fields__}
    assert options_model(Hypotheses).model_validate({}).model_dump() == defaults


def test_sections_have_the_fields_and_defaults_of_what_they_build():
    """But for the length limit, which suits the bundled model in a configuration, the seed of the adapter, which is the
    run's, and the rounds asked ahead, which suit the oracle. A configuration has lists where the code has tuples.
    """
    for section, built, apart in (
        (ScheduleConfig(), Schedule(), {"ahead"}),
        (AdapterConfig(), Adapter(), {"seed"}),
        (GenerationConfig(), Generation(), {"max_tokens"}),
    ):
        names = [name for name in type(built).__dataclass_fields__ if name not in apart]
        values = {name: getattr(built, name) for name in names}
        fields = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        assert section.model_dump(exclude=apart) == fields
    assert set(GenerationConfig.model_fields) == set(Generation.__dataclass_fields__)


def test_dtypes_are_those_that_loading_knows():
    assert RunConfig.model_fields["dtype"].annotation == Dtype


@pytest.mark.parametrize(
    ("oracle", "wrong"),
    [
        ("program", {"timeout": 0.0}),
        ("program", {"timeout": -1.0}),
        ("program", {"workers": 0}),
        ("program", {"price": -0.1}),
        ("bradley_terry", {"flip": 1.1}),
        ("bradley_terry", {"noise": -1.0}),
        ("bradley_terry", {"scale": -1.0}),
    ],
)
def test_what_an_oracle_would_refuse_is_refused_when_it_is_read(oracle: str, wrong: dict[str, float]):
    options = options_model(ORACLES[oracle])
    options.model_validate({"function": "a.py:f"})
    with pytest.raises(ValueError, match=next(iter(wrong))):
        options.model_validate({"function": "a.py:f", **wrong})


def test_an_oracle_may_take_for_ever():
    assert options_model(ORACLES["program"]).model_validate({"function": "a.py:f", "timeout": None})
    assert options_model(ORACLES["bradley_terry"]).model_validate({"function": "a.py:f", "scale": float("inf")})

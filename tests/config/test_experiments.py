import typing
from collections.abc import Callable, Sequence

import pytest

from boldly.config.experiments import experiment_named, flags_of, question_of, read_settings, settings_model
from boldly.errors import ConfigError
from boldly.lab.experiments import EXPERIMENTS, Outcome, Watch, unwatched
from tests.coins import coins, dice

REGISTERED = dict(EXPERIMENTS)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(EXPERIMENTS):
        monkeypatch.delitem(EXPERIMENTS, name)
    monkeypatch.setitem(EXPERIMENTS, "coins", coins)
    monkeypatch.setitem(EXPERIMENTS, "dice", dice)


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        (["betas=0.1,0.2"], {"betas": (0.1, 0.2)}),
        (["betas=[0.1, 2e-1]"], {"betas": (0.1, 0.2)}),
        (["betas=.5"], {"betas": (0.5,)}),
        (["betas=1,2,"], {"betas": (1.0, 2.0)}),
        (["beta=1e-3", "rounds=7"], {"beta": 0.001, "rounds": 7}),
        (["side=tails"], {"side": "tails"}),
        (["limit=null"], {"limit": None}),
        (["limit = 3"], {"limit": 3.0}),
        ([], {}),
    ],
)
def test_settings_are_read_from_text(assignments: list[str], expected: dict[str, object]):
    assert read_settings("coins", coins, assignments) == expected


def test_seeds_have_a_flag_of_their_own():
    assert read_settings("coins", coins, ["beta=2"], seeds=3) == {"seeds": 3, "beta": 2.0}


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("betas", "--set betas: has no `=`: write `--set betas=0.5,0.25`."),
        ("=3", "--set =3: has no `=`: write `--set seeds=200`."),
        ("beta=", "--set beta=: has no value: write `--set beta=1.0`."),
        ("bta=1", "has no setting `bta`, but seeds, rounds, betas, beta, side, limit: write `--set beta=1.0`."),
        ("zzz=1", "has no setting `zzz`: its settings are seeds, rounds, betas, beta, side, limit."),
        ("methods=x", "has no setting `methods`"),
        ("watch=x", "has no setting `watch`"),
        ("beta=0", "`beta` is 0, but it has to be a number above 0: write `--set beta=1.0`."),
        ("beta=x", "`beta` is x, but it has to be a number"),
        ("beta=.inf", "`beta` is .inf, but it has to be a finite number"),
        ("beta=true", "`beta` is true, but it has to be a number"),
        ("beta=[", "--set beta:1: is not YAML"),
        ("betas=0.1,-3", "`betas` is -3, but it has to be a number above 0: write `--set betas=0.5,0.25`."),
        ("betas=0.1,,0.2", "`betas` is null, but it has to be a number"),
        ("betas=.nan", "`betas` is .nan, but it has to be a number"),
        ("rounds=0", "`rounds` is 0, but it has to be a number above 0: write `--set rounds=60`."),
        ("rounds=1.5", "`rounds` is 1.5, but it has to be a whole number"),
        ("seeds=0", "`seeds` is 0, but it has to be a number above 0: write `--set seeds=200`."),
        ("side=taisl", "`side` is taisl, but it has to be heads or tails: write `--set side=tails`."),
    ],
)
def test_what_cannot_work_is_one_sentence_with_its_remedy(assignment: str, sentence: str):
    with pytest.raises(ConfigError) as caught:
        read_settings("coins", coins, [assignment])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_wrong_setting_is_named():
    with pytest.raises(ConfigError) as caught:
        read_settings("coins", coins, ["beta=0", "rounds=0"], seeds=0)
    assert len(str(caught.value).splitlines()) == 3
    assert "write `--seeds 200`" in str(caught.value)


@pytest.mark.parametrize("twice", [(["beta=1", "beta=2"], None), (["seeds=1"], 2)])
def test_a_setting_is_given_once(twice: tuple[list[str], int | None]):
    with pytest.raises(ConfigError, match="given twice"):
        read_settings("coins", coins, twice[0], seeds=twice[1])


def test_an_experiment_that_does_not_exist_has_a_nearest():
    assert experiment_named("dice") is dice
    with pytest.raises(ConfigError, match=r"coin is no experiment: write `boldly lab coins`\."):
        experiment_named("coin")
    with pytest.raises(ConfigError, match="which are all, coins, dice"):
        experiment_named("something else")


def test_the_question_is_the_first_line():
    assert question_of(coins) == "How far from half do the heads of a coin stray?"


@pytest.mark.parametrize(
    "settings", [{"seeds": 3, "betas": (0.1, 1e-5), "limit": None}, {"side": "tails", "rounds": 9, "beta": 2.5}]
)
def test_flags_bring_the_settings_back(settings: dict[str, object]):
    words = flags_of(settings)
    pairs = list(zip(words[::2], words[1::2], strict=True))
    seeds = [int(value) for flag, value in pairs if flag == "--seeds"]
    given = [value for flag, value in pairs if flag == "--set"]
    assert read_settings("coins", coins, given, seeds=seeds[0] if seeds else None) == settings


def test_what_only_python_can_set_is_no_setting():
    def experiment(
        *,
        names: Sequence[str] = ("true", "1"),
        depths: tuple[int, ...] = (1, 2),
        either: int | float = 1,
        way: typing.Literal["a", 1] = "a",
        many: Sequence[Callable[[], int]] = (),
        nested: dict[str, int] | None = None,
        watch: Watch = unwatched,
    ) -> Outcome: ...

    assert list(settings_model(experiment).model_fields) == ["names", "depths", "either", "way"]
    read = read_settings("e", experiment, ["names=true,1", "depths=3,4"])
    assert read == {"names": ("true", "1"), "depths": (3, 4)}
    with pytest.raises(ConfigError, match="`depths` is 0"):
        read_settings("e", experiment, ["depths=0"])


@pytest.mark.parametrize("name", REGISTERED)
def test_every_experiment_asks_a_question_and_can_be_set(name: str):
    experiment = REGISTERED[name]
    assert question_of(experiment).endswith("?")
    model = settings_model(experiment)
    assert model().model_dump() == {key: field.default for key, field in model.model_fields.items()}

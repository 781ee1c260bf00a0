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
        (["seeds=100000"], {"seeds": 100_000}),
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
    assert read_settings("coins", coins, ["beta=2"], seeds="3") == {"seeds": 3, "beta": 2.0}


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
        read_settings("coins", coins, ["beta=0", "rounds=0"], seeds="0")
    assert len(str(caught.value).splitlines()) == 3
    assert "write `--seeds 200`" in str(caught.value)


@pytest.mark.parametrize("twice", [(["beta=1", "beta=2"], None), (["seeds=1"], "2")])
def test_a_setting_is_given_once(twice: tuple[list[str], str | None]):
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
    seeds = [value for flag, value in pairs if flag == "--seeds"]
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
    defaults = {key: field.default for key, field in model.model_fields.items()}
    assert model.model_validate(defaults).model_dump() == defaults


@pytest.mark.parametrize(
    ("name", "assignment", "expected"),
    [
        ("actions", "vocabularies=2", "a number of at least 3"),
        ("actions", "hypotheses=1", "a number of at least 2"),
        ("actions", "labels=0", "a number above 0"),
        ("alpha", "ratios=0.1,0", "a number above 0"),
        ("bad-labels", "rates=0.6", "a number below 0.5"),
        ("bad-labels", "rates=0", "a number above 0"),
        ("bad-labels", "scale=0", "a number above 0"),
        ("beta", "times=-1", "a number above 0"),
        ("beta", "ratio=-1", "a number above 0"),
        ("first-experiments", "alpha=0", "a number above 0"),
        ("first-experiments", "epsilon=1", "a number below 1"),
        ("first-experiments", "per_round=0", "a number above 0"),
        ("games", "horizons=10,20", "a list of at least 3 different values"),
        ("games", "horizons=0,10,20", "a number above 0"),
        ("identities", "responses=2", "a number of at least 3"),
        ("rare-arm", "alpha=0", "a number above 0"),
        ("rare-arm", "alphas=0.1,0", "a number above 0"),
        ("rare-arm", "epsilons=1", "a number below 1"),
        ("reference-coverage", "masses=0.25,0.3", "a number of at most 0.25"),
        ("reference-coverage", "masses=0.25,0.1", "a list of at least 3 different values"),
        ("second-sampler", "distances=0,3", "a number of at least 1"),
        ("second-sampler", "distances=3", "a list of at least 2 different values"),
        ("second-sampler", "rare_seeds=0", "a number above 0"),
        ("stochastic", "noises=2", "a number of at most 1"),
        ("stochastic", "noises=0", "a list of at least 2 different values"),
        ("stochastic", "seeds=1", "a number of at least 2"),
        ("trap", "arms=3", "a number of at least 4"),
        ("trap", "ratios=-1", "a number of at least 0"),
        ("two-arms", "beta=5", "a number of at most 0.18"),
        ("two-arms", "betas=0.1", "a list of at least 3 different values"),
        ("two-arms", "betas=0.1,0.1,0.1", "a list of at least 3 different values"),
        ("two-arms", "betas=0.1,0.05,0.2", "a number of at most 0.18"),
        ("two-arms", "limit=0", "a number above 0"),
    ],
)
def test_what_an_experiment_cannot_do_is_refused_by_the_name_that_was_set(name: str, assignment: str, expected: str):
    key = assignment.partition("=")[0]
    with pytest.raises(ConfigError) as caught:
        read_settings(name, REGISTERED[name], [assignment])
    said = str(caught.value)
    assert said.startswith(f"`{key}` is ")
    assert f", but it has to be {expected}: write `--set {key}=" in said
    remedy = said.rpartition("--set ")[2].removesuffix("`.")
    assert read_settings(name, REGISTERED[name], [remedy])


@pytest.mark.parametrize(
    ("name", "assignment"),
    [("trap", "ratios=0,2"), ("stochastic", "noises=0,1"), ("two-arms", "beta=0.18"), ("two-arms", "beta=0.0002")],
)
def test_the_ends_of_what_an_experiment_can_do_are_settings(name: str, assignment: str):
    assert read_settings(name, REGISTERED[name], [assignment])

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boldly.config.documents import nearest, parse_document, parse_value, read_document, written
from boldly.errors import ConfigError


def test_scalars_are_those_of_yaml_1_2():
    text = (
        "a: 1e-4\nb: no\nc: 2024-01-01\nd: 1:30\ne: .inf\nf: 0x10\ng: ''\nh: 010\ni: true\nj:\nk: [1, 2.5, ~]\nl: -.inf"
    )
    assert parse_document(text, "x").values == {
        "a": 0.0001,
        "b": "no",
        "c": "2024-01-01",
        "d": "1:30",
        "e": math.inf,
        "f": 16,
        "g": "",
        "h": 10,
        "i": True,
        "j": None,
        "k": [1, 2.5, None],
        "l": -math.inf,
    }


def test_every_key_has_its_line():
    document = parse_document("a: 1\nb:\n  c: 2\n  d: {e: 3,\n      f: 4}\n", "x")
    assert document.lines == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "d"): 4,
        ("b", "d", "e"): 4,
        ("b", "d", "f"): 5,
    }


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file_is_an_empty_mapping(text: str, tmp_path: Path):
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_document(path).values == {}


def test_a_byte_order_mark_and_crlf_change_nothing(tmp_path: Path):
    path = tmp_path / "run.yaml"
    path.write_bytes("\ufeffbudget: 8\r\nseed: 1\r\n".encode())
    assert read_document(path).values == {"budget": 8, "seed": 1}


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("budget: 1\nseed: 2\nbudget: 3", "run.yaml:3: `budget` is given twice, first in line 1"),
        ("learner:\n  steps: 1\n  steps: 2", "run.yaml:3: `steps` is given twice, first in line 2"),
        ("seed: 1\nmodel: !!python/object/apply:os.system [true]", "run.yaml:2: tag:yaml.org,2002:python/object"),
        ("model: !anything x", "run.yaml:1: !anything makes no plain value"),
        ("seed: !!int x", "run.yaml:1: "),
        ("- 1", "run.yaml:1: a configuration is a mapping of keys"),
        ("words", "run.yaml:1: a configuration is a mapping of keys"),
        ("1: 2", "run.yaml:1: 1 is no key"),
        ("? [1]\n: 2", "run.yaml:1: [1] is no key"),
        ("a: 1\nb: [", "run.yaml:2: is not YAML"),
        ("a: *nothing", "run.yaml:1: is not YAML"),
        ("a: 1\n---\nb: 2", "run.yaml:2: is not YAML"),
        ("a:\n\tb: 1", "run.yaml:2: is not YAML"),
        ("seed: 1\nbudget 3\n", "run.yaml:2: is not YAML"),
        ("a: \x00", "run.yaml: is not YAML"),
        ("[" * 100_000, "run.yaml: is not YAML"),
        ("a: &a [*a]", "run.yaml:1: holds more than a configuration can"),
        (LAUGHS, "holds more than a configuration can"),
    ],
)
def test_what_is_no_configuration_is_refused_with_its_line(text: str, expected: str, tmp_path: Path):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_document(path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_not_there_or_not_utf8_is_refused(tmp_path: Path):
    path = tmp_path / "run.yaml"
    with pytest.raises(ConfigError, match=r"run.yaml: can't be read \(No such file"):
        read_document(path)
    path.write_text("a: " + "x" * 1_000_001)
    with pytest.raises(ConfigError, match="at most 1000000"):
        read_document(path)
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"run.yaml:2: is not UTF-8 \(byte 0xe9\)"):
        read_document(path)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["C"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), inner),
    max_leaves=6,
)


@given(PLAIN)
def test_what_is_written_reads_back(value: object):
    assert parse_value(written(value), "x") == value


def test_the_nearest_word_is_close_or_none():
    assert nearest("budgte", ["seed", "budget"]) == "budget"
    assert nearest("zzz", ["seed", "budget"]) is None


def test_other_encodings_and_directories_are_told_apart(tmp_path: Path):
    path = tmp_path / "run.yaml"
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        path.write_bytes("budget: 64".encode(encoding))
        with pytest.raises(ConfigError, match=r"run.yaml:1: is not UTF-8 but UTF-16 or UTF-32: save the file as UTF-8"):
            read_document(path)
    with pytest.raises(ConfigError, match="is a directory: write `--config FILE`"):
        read_document(tmp_path)

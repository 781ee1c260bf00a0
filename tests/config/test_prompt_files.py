from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boldly.config.prompt_files import read_prompts
from boldly.errors import PromptsError
from boldly.types import Message, Prompt


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_jsonl_with_a_mark_crlf_facts_and_other_separators(tmp_path: Path):
    text = '\ufeff{"prompt": "one\u2028still one", "answer": 3}\r\n{"question": 1, "prompt": "two"}\r\n\r\n'
    assert read_prompts(written(tmp_path, "p.jsonl", text)) == [
        (1, Prompt("one\u2028still one", {"answer": 3})),
        (2, Prompt("two", {"question": 1})),
    ]


def test_chats(tmp_path: Path):
    text = '{"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]}'
    assert read_prompts(written(tmp_path, "p.jsonl", text)) == [
        (1, Prompt((Message("system", "s"), Message("user", "u"))))
    ]


def test_text_has_a_prompt_on_each_line(tmp_path: Path):
    assert read_prompts(written(tmp_path, "p.txt", "one\r\ntwo \n")) == [(1, Prompt("one")), (2, Prompt("two "))]


def test_csv_with_cells_over_several_lines(tmp_path: Path):
    text = 'answer,question\n1,"a, ""b"""\n2,"over\ntwo lines"\n3,last\n'
    assert read_prompts(written(tmp_path, "p.csv", text), "question") == [
        (2, Prompt('a, "b"', {"answer": "1"})),
        (3, Prompt("over\ntwo lines", {"answer": "2"})),
        (5, Prompt("last", {"answer": "3"})),
    ]


def test_a_megabyte_in_one_cell_is_a_prompt(tmp_path: Path):
    (row,) = read_prompts(written(tmp_path, "p.csv", "prompt\n" + "x" * 1_000_000))
    assert len(row[1].text) == 1_000_000


GOOD = '{"prompt": "good"}\n'


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("p.jsonl", GOOD + '{"prompt": "a",}', "p.jsonl:2: is not JSON (Expecting property name"),
        ("p.jsonl", GOOD + '{"prompt": "a"', "p.jsonl:2: is not JSON"),
        ("p.jsonl", GOOD + "[" * 100_000, "p.jsonl:2: is not JSON"),
        ("p.jsonl", GOOD + '{"prompt": "a", "x": NaN}', "p.jsonl:2: is not JSON (NaN"),
        ("p.jsonl", GOOD + '{"prompt": "a", "prompt": "b"}', "p.jsonl:2: is not JSON (a name is given twice)"),
        (
            "p.jsonl",
            GOOD + '{"promt": "a"}',
            'p.jsonl:2: has no column `prompt`, it has promt: write "prompt" for "promt".',
        ),
        ("p.jsonl", '{"promt": "a"}', "p.jsonl:1: has no column `prompt`, it has promt: write `prompt_column: promt`."),
        ("p.jsonl", GOOD + "{}", 'p.jsonl:2: has no column `prompt`, it has none: write {"prompt": "..."}.'),
        (
            "p.jsonl",
            '{"prompt": [{"role": "usr", "content": "a"}]}',
            "p.jsonl:1: has a message of role 'usr', which is none of system, developer, user, assistant, tool: "
            'write "role": "user".',
        ),
        ("p.jsonl", GOOD + '"a"', "p.jsonl:2: is text where an object is needed"),
        ("p.jsonl", GOOD + "\n" + GOOD, "p.jsonl:2: is empty"),
        ("p.jsonl", GOOD + '{"prompt": ""}', "p.jsonl:2: `prompt` is empty"),
        ("p.jsonl", GOOD + '{"prompt": " \\n\\u3000"}', "p.jsonl:2: `prompt` is empty"),
        ("p.jsonl", GOOD + '{"prompt": 3}', "p.jsonl:2: `prompt` is a number, but it has to be text"),
        ("p.jsonl", GOOD + '{"prompt": null}', "p.jsonl:2: `prompt` is null"),
        ("p.jsonl", GOOD + '{"prompt": "a\\u0000b"}', "p.jsonl:2: `prompt` holds a NUL character"),
        ("p.jsonl", GOOD + '{"prompt": "\\ud83d"}', "p.jsonl:2: `prompt` holds half a surrogate pair"),
        (
            "p.jsonl",
            GOOD + '{"prompt": [{"role": "user", "content": "a"}]}',
            "p.jsonl:2: mixes plain prompts with chats",
        ),
        ("p.jsonl", '{"prompt": []}', "p.jsonl:1: holds a chat without messages"),
        ("p.jsonl", '{"prompt": [{"role": "user"}]}', "p.jsonl:1: holds a message that is no role and content"),
        ("p.jsonl", '{"prompt": [{"role": "user", "content": 1}]}', "p.jsonl:1: `content` is a number"),
        ("p.jsonl", '{"prompt": [{"role": "assistant", "content": "a"}]}', "p.jsonl:1: ends with the assistant's turn"),
        ("p.jsonl", GOOD.encode() + b'{"prompt": "caf\xe9"}', "p.jsonl:2: is not UTF-8 (byte 0xe9)"),
        ("p.jsonl", GOOD.encode("utf-16"), "p.jsonl:1: is not UTF-8 but UTF-16 or UTF-32: save"),
        ("p.jsonl", GOOD.encode("utf-16-le"), "p.jsonl:1: is not UTF-8 but UTF-16 or UTF-32: save"),
        ("p.txt", GOOD.encode("utf-16-be"), "p.txt:1: is not UTF-8 but UTF-16 or UTF-32: save"),
        ("p.jsonl", "", "p.jsonl: holds no prompts"),
        ("p.jsonl", "\n\r\n", "p.jsonl: holds no prompts"),
        ("p.txt", "one\n \ntwo", "p.txt:2: `the line` is empty"),
        ("p.txt", "", "p.txt: holds no prompts"),
        ("p.csv", "", "p.csv: holds no prompts"),
        ("p.csv", "prompt,x\n", "p.csv: holds no prompts"),
        ("p.csv", "promt,x\na,b", "p.csv:1: has no column `prompt`, it has promt, x: write `prompt_column: promt`"),
        ("p.csv", "prompt,x\na,b\nc", "p.csv:3: has 1 cells under 2 names"),
        ("p.csv", 'prompt,x\n"a"b,c', "p.csv:2: is not CSV"),
        ("p.csv", 'prompt\n"a', "p.csv:2: is not CSV (unexpected end of data)"),
        ("p.csv", "prompt,x\n,1", "p.csv:2: `prompt` is empty"),
        ("p.parquet", "", "p.parquet: is none of .jsonl, .txt, .csv: write `prompts: p.jsonl`"),
    ],
)
def test_faults_are_named_with_file_and_line(name: str, content: str | bytes, expected: str, tmp_path: Path):
    with pytest.raises(PromptsError) as caught:
        read_prompts(written(tmp_path, name, content))
    message = str(caught.value).replace(f"{tmp_path}/", "")
    assert message.startswith(expected)
    assert "\n" not in message
    assert message.endswith(".")


def test_a_file_that_cant_be_read_is_named(tmp_path: Path):
    with pytest.raises(PromptsError, match=r"p.jsonl: can't be read \(No such file"):
        read_prompts(tmp_path / "p.jsonl")
    (tmp_path / "d.txt").mkdir()
    with pytest.raises(PromptsError, match=r"d.txt: is a directory: write the path of"):
        read_prompts(tmp_path / "d.txt")


@given(content=st.binary(max_size=60), name=st.sampled_from(["p.jsonl", "p.txt", "p.csv"]))
def test_any_bytes_are_prompts_or_a_fault_that_is_named(
    content: bytes, name: str, tmp_path_factory: pytest.TempPathFactory
):
    path = written(tmp_path_factory.mktemp("any"), name, content)
    try:
        rows = read_prompts(path)
    except PromptsError as error:
        rows, message = [], str(error)
        assert message.startswith(str(path))
    assert all(prompt.text.strip() for _, prompt in rows)

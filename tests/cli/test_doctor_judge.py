import json
import socket
from pathlib import Path

import pytest

from boldly.cli import main
from tests.oracles.judge.buying import longest, saying
from tests.oracles.judge.service import Got, Reply, error, ok, serving


def better(got: Got) -> Reply:
    """A judge that knows why the sky is blue, in whatever way it is asked."""
    return saying(got, "A" if "scatters" in got.between("RESPONSE A") else "B")


def test_two_calls_tell_what_a_service_can_do_and_what_a_label_costs(capsys: pytest.CaptureFixture[str]):
    with serving(better) as service:
        flags = ["--model", "m", "--base-url", service.url, "--price-in", "1000", "--price-out", "2000"]
        assert main(["doctor", "judge", *flags, "--json"]) == 0
        assert len(service.got) == 2
        found = json.loads(capsys.readouterr().out)
        assert main(["doctor", "judge", *flags]) == 0
    assert {found[key] for key in ("logprobs", "structured", "temperature", "system", "usage", "right")} == {True}
    assert (found["mode"], found["limit"], found["requests"]) == ("logprobs", "max_tokens", 2)
    assert (found["tokens_in"], found["tokens_out"]) == (100, 2)
    assert found["label"] == pytest.approx(2 * (0.1 + 0.004))
    assert found["bound"] > found["label"]
    text = capsys.readouterr().out
    assert "a label                     0.208 for a short pair" in text
    assert "takes logprobs" in text


def test_refusals_are_written_again_and_what_is_not_given_is_said(capsys: pytest.CaptureFixture[str]):
    """A reasoning model: no log-probabilities, no temperature, another name for the limit, no usage."""

    def reasoning(got: Got) -> Reply:
        for word in ("max_tokens", "temperature", "logprobs"):
            if word in got.body:
                return error(
                    400, f"Unsupported: {word}; there is max_completion_tokens" if word == "max_tokens" else word
                )
        return ok('{"reason": "x", "verdict": "A"}', usage=None)

    with serving(reasoning) as service:
        assert main(["doctor", "judge", "--model", "m", "--base-url", service.url, "--json"]) == 0
        answered = [got for got in service.got if not {"max_tokens", "temperature", "logprobs"} & set(got.body)]
        assert len(answered) == 1
        assert len(service.got) <= 6
    found = json.loads(capsys.readouterr().out)
    assert (found["logprobs"], found["structured"], found["usage"], found["temperature"]) == (False, True, False, False)
    assert (found["mode"], found["limit"], found["label"]) == ("structured", "max_completion_tokens", None)


def test_canaries_are_put_up_when_asked(capsys: pytest.CaptureFixture[str]):
    with serving(longest) as service:
        assert main(["doctor", "judge", "--model", "m", "--base-url", service.url, "--canaries"]) == 0
        assert len(service.got) == 12
    text = capsys.readouterr().out
    assert "canary, empty               lost, as it should" in text
    assert text.count("canary, ") == 5


def test_the_judge_of_a_configuration_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with serving(better) as service:
        oracle = f"oracle: {{name: judge, model: from-file, base_url: '{service.url}', price_in: 3.0}}\n"
        (tmp_path / "run.yaml").write_text(oracle)
        assert main(["doctor", "judge", "--config", str(tmp_path / "run.yaml"), "--price-out", "4", "--json"]) == 0
        assert service.got[0].body["model"] == "from-file"
    found = json.loads(capsys.readouterr().out)
    assert found["label"] == pytest.approx(2 * (100 * 3 + 2 * 4) / 1e6)


@pytest.mark.parametrize(
    ("status", "code"), [(401, 6), (404, 6), (500, 6), (400, 6)], ids=["key", "model", "broken", "refuses"]
)
def test_a_service_that_gives_no_answer_ends_with_6_and_its_reason(
    status: int, code: int, capsys: pytest.CaptureFixture[str]
):
    with serving(lambda got: error(status, "words of the service")) as service:
        assert main(["doctor", "judge", "--model", "m", "--base-url", service.url]) == code
        assert len(service.got) <= 2
    assert "words of the service" in capsys.readouterr().err


def test_a_service_that_cant_be_reached_ends_with_6(capsys: pytest.CaptureFixture[str]):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
    assert main(["doctor", "judge", "--model", "m", "--base-url", url]) == 6
    assert "can't be reached" in capsys.readouterr().err


def test_what_cant_be_asked_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert main(["doctor", "judge"]) == 2
    assert "--model NAME" in capsys.readouterr().err
    assert main(["doctor", "judge", "--model", "m", "--base-url", "https://example.org/v1"]) == 2
    assert "OPENAI_API_KEY is not set" in capsys.readouterr().err

from dataclasses import replace

import pytest
from tokenizers import processors

from boldly.errors import PromptsError
from boldly.lm.encode import decode, encode
from boldly.types import Message, Prompt

PAD, BOS, EOS, USER, ASSISTANT = range(5)


def written(lm, text):
    return tuple(lm.tokenizer(text, add_special_tokens=False)["input_ids"])


def test_a_chat_prompt_has_one_bos_and_is_open_for_the_answer(language_model):
    lm = language_model(chat=True)
    prompt = Prompt((Message("user", "hi"), Message("assistant", "yes?"), Message("user", "2+2")))
    assert encode(lm, prompt) == (
        *(BOS, USER, *written(lm, "hi"), EOS),
        *(ASSISTANT, *written(lm, "yes?"), EOS),
        *(USER, *written(lm, "2+2"), EOS),
        ASSISTANT,
    )


def test_plain_text_goes_through_the_template_as_one_turn(language_model):
    lm = language_model(chat=True)
    assert encode(lm, Prompt("hi")) == encode(lm, Prompt((Message("user", "hi"),)))


def test_a_chat_that_ends_with_the_assistant_is_continued(language_model):
    lm = language_model(chat=True)
    begun = encode(lm, Prompt((Message("user", "hi"), Message("assistant", "Step 1"))))
    assert begun == (BOS, USER, *written(lm, "hi"), EOS, ASSISTANT, *written(lm, "Step 1"))


def test_plain_text_gets_what_the_tokenizer_puts_before_it(language_model):
    lm = language_model(chat=False)
    assert encode(lm, Prompt("hi")) == (BOS, *written(lm, "hi"))


def test_an_end_token_that_the_tokenizer_adds_is_not_part_of_the_prompt(language_model):
    lm = language_model(chat=False)
    lm.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", BOS), ("<eos>", EOS)]
    )
    assert tuple(lm.tokenizer("hi")["input_ids"])[-1] == EOS
    assert encode(lm, Prompt("hi")) == (BOS, *written(lm, "hi"))


def test_an_end_token_that_the_user_wrote_stays(language_model):
    lm = language_model(chat=False)
    assert encode(lm, Prompt("hi<eos>")) == (BOS, *written(lm, "hi"), EOS)


def test_a_prompt_without_room_for_an_answer_is_refused(language_model):
    lm = replace(language_model(), context=6)
    assert len(encode(lm, Prompt("abcd"))) == 5
    with pytest.raises(PromptsError, match="has 6 tokens; the model reads 6"):
        encode(lm, Prompt("abcde"))


def test_an_empty_prompt_is_refused(language_model):
    lm = language_model()
    assert encode(lm, Prompt("")) == (BOS,)
    lm.tokenizer.backend_tokenizer.post_processor = processors.Sequence([])
    with pytest.raises(PromptsError, match="no tokens"):
        encode(lm, Prompt(""))


def test_a_chat_without_a_template_is_refused(language_model):
    with pytest.raises(PromptsError, match="no chat template"):
        encode(language_model(chat=False), Prompt((Message("user", "hi"),)))


@pytest.mark.parametrize("text", ["", "yes", " spaced  out . ", "2 + 2 = 4 !", "héé\n日本"])
def test_a_response_is_read_back_as_it_was_written(language_model, text):
    lm = language_model()
    assert decode(lm, (*written(lm, text), EOS)) == text


def test_the_text_of_a_response_has_no_special_tokens(language_model):
    lm = language_model()
    assert decode(lm, (*written(lm, "a"), USER, *written(lm, "b"), EOS)) == "ab"
    assert decode(lm, (EOS,)) == ""
    assert decode(lm, written(lm, "cut")) == "cut"


def test_the_token_that_ended_a_response_is_not_in_its_text_even_where_it_is_no_special_token(language_model):
    lm = language_model()
    stop = written(lm, ".")
    assert decode(replace(lm, end_tokens=(EOS, *stop)), (*written(lm, "a.b"), *stop)) == "a.b"

"""What the page says: every language has all of it."""

import json
import re
from string import Formatter

import pytest

from dfd.ui import details, pad, places, results, texts

ENGLISH = texts.LANGUAGES["en"]
OTHERS = sorted(set(texts.LANGUAGES) - {"en"})
SECTIONS = ["page", "refusals", "pad", "results", "details", "places"]


def each_text(language):
    """Section, key, English text and translation, of what has both."""
    for section in SECTIONS:
        for key, english in ENGLISH[section].items():
            if key in texts.LANGUAGES[language].get(section, {}):
                yield section, key, english, texts.LANGUAGES[language][section][key]


def test_the_page_speaks_these_languages():
    assert OTHERS == ["ar", "de", "es", "hi", "zh-CN"]
    assert ENGLISH["pad"] == pad.TEXTS["en"]
    assert (ENGLISH["results"], ENGLISH["details"]) == (results.TEXTS, details.TEXTS)
    assert ENGLISH["places"] == places.TEXTS


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_no_key_stands_twice(language):
    """JSON's readers keep the last one in silence."""

    def once(pairs):
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), sorted({key for key in keys if keys.count(key) > 1})
        return dict(pairs)

    json.loads((texts.FOLDER / f"{language}.json").read_text("utf-8"), object_pairs_hook=once)


@pytest.mark.parametrize("language", OTHERS)
def test_the_same_keys_as_in_english(language):
    keys = {section: list(words) for section, words in texts.LANGUAGES[language].items()}
    assert keys == {section: list(ENGLISH[section]) for section in SECTIONS}


@pytest.mark.parametrize("language", OTHERS)
def test_the_same_words_are_filled_in(language):
    def fields(text):
        return sorted(field for _, field, *_ in Formatter().parse(text) if field is not None)

    for section, key, english, text in each_text(language):
        assert fields(text) == fields(english), (section, key)


@pytest.mark.parametrize("language", OTHERS)
def test_the_same_markers_keys_and_name(language):
    def kept(text):
        keys = re.findall(r"\((?:[BE]|Ctrl\+[\w+]+)\)|[\[\]]", text)
        return keys, re.findall(r"(?m)^(?:# |\d\. )", text), text.count("**"), text.count("DeepFaceDrawing")

    for section, key, english, text in each_text(language):
        assert kept(text) == kept(english), (section, key)


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_empty_or_left_in_english(language):
    for section, key, english, text in each_text(language):
        assert text.strip() == text != "", (section, key)
        assert text != english, (section, key)


@pytest.mark.parametrize("language", sorted({*OTHERS} - {"de", "es"}))
def test_no_latin_letters_among_others(language):
    for section, key, _, text in each_text(language):
        left = re.sub(r"[{]\w+[}]|\([\w+]+\)|DeepFaceDrawing", "", text)
        assert not re.search("[A-Za-z]", left), (section, key)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_buttons_are_called_by_their_names(language):
    words = texts.LANGUAGES[language]["page"]
    named = re.findall(r"\*\*(.+?)\*\*", words["image_intro"])
    assert named == [words["to_lines"], words["generate"]]
    assert words["draw"] in words["continue"]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("de-AT,de;q=0.9", "de"),
        ("zh-CN,zh;q=0.9", "zh-CN"),
        ("zh-TW", "en"),
        ("fr, es;q=0.5", "es"),
        ("fr", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_requests_are_answered_in_a_language_that_they_accept(accepted, language):
    assert texts.language(accepted) == language

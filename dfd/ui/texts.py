"""What the page says, in every language that it speaks. `translations/<language>.json` holds the words.

Sections: `page` (labels and texts of the layout), `refusals` (what a request may be answered with), `pad`, `results`,
`details` and `places` (those of the components, whose English words stand in the components themselves).
"""

from __future__ import annotations

import json
from pathlib import Path

from dfd.ui import details, pad, places, results

FOLDER = Path(__file__).parent / "translations"

#: Language code -> section -> key -> text. A key that is missing is shown in English.
LANGUAGES: dict[str, dict[str, dict[str, str]]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))
}
LANGUAGES["en"] |= {
    "pad": pad.TEXTS["en"],
    "results": results.TEXTS,
    "details": details.TEXTS,
    "places": places.TEXTS,
}


def section(name: str) -> dict[str, dict[str, str]]:
    """Language code -> key -> text of one section."""
    return {language: {**LANGUAGES["en"][name], **words.get(name, {})} for language, words in LANGUAGES.items()}


def language(accepted: str | None) -> str:
    """The language to answer a request in: the first known one of its Accept-Language header, else English.

    A tag counts whole, then by its base, as Gradio reads it for the rest of the page.
    """
    known = {code.lower(): code for code in LANGUAGES}
    for part in (accepted or "").split(","):
        tag = part.split(";")[0].strip().lower()
        for name in (tag, tag.split("-")[0]):
            if name in known:
                return known[name]
    return "en"


def refusal(key: str, accepted: str | None) -> str:
    """Why a request is refused, in a language that it accepts."""
    return section("refusals")[language(accepted)][key]

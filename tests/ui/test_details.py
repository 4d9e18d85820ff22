"""Who helped, and how much of the drawing is in the face."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
import torch
from PIL import Image, ImageDraw

from dfd.components import COMPONENTS
from dfd.manifold import Projection
from dfd.sketch import read_sketch, sketch_to_pil
from dfd.ui.details import TEXTS, THUMBNAIL, agreement, helpers, helpers_html, inspection_html


@pytest.fixture(scope="module")
def projection(pipe, face):
    return pipe.project(pipe.encode(face(3)), num_neighbors=6)


@pytest.fixture(scope="module")
def found(pipe, projection):
    return helpers(pipe.decode_samples, projection)


def test_the_heaviest_help_first(found, projection):
    assert list(found) == list(COMPONENTS)
    for name, people in found.items():
        weights = [weight for _, weight in people]
        expected = projection.neighbors[name].positive_weights[0].sort(descending=True).values[:4]
        assert weights == [weight for weight in expected.tolist() if weight > 0]
        assert all((picture.mode, picture.size) == ("L", (THUMBNAIL, THUMBNAIL)) for picture, _ in people)


def test_a_helper_is_the_sample_as_the_network_draws_it(pipe, found, projection):
    near = projection.neighbors["nose"]
    row = near.indices[0, near.weights[0].argmax()]
    with torch.no_grad():
        sketch = pipe.nose_autoencoder.decode(pipe.manifold.codes.nose[row][None])[0]
    expected = sketch_to_pil(sketch).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.HAMMING)
    difference = torch.tensor(list(found["nose"][0][0].tobytes())) - torch.tensor(list(expected.tobytes()))
    assert difference.abs().max() <= 2  # a batch is added up in another order than a single code


def test_few_neighbours_and_few_asked_for(pipe, face):
    projection = pipe.project(pipe.encode(face(3)), num_neighbors=2)
    assert all(1 <= len(people) <= 2 for people in helpers(pipe.decode_samples, projection).values())
    assert all(len(people) == 1 for people in helpers(pipe.decode_samples, projection, top=1).values())


def test_without_a_manifold_nobody_helps(pipe):
    assert helpers(pipe.decode_samples, Projection({}, {}, None)) == {}


# Agreement


def painted(shift=0) -> tuple[torch.Tensor, Image.Image]:
    """Lines around a dark ellipse and a bar, and a picture of them `shift` px to the right."""
    drawing, photo = Image.new("L", (512, 512), 255), Image.new("RGB", (512, 512), (220, 210, 200))
    for pen, x, fill in ((ImageDraw.Draw(drawing), 0, None), (ImageDraw.Draw(photo), shift, (70, 50, 40))):
        line = 0 if fill is None else None
        pen.ellipse((120 + x, 100, 380 + x, 420), outline=line, fill=fill, width=3)
        pen.rectangle((30 + x, 30, 470 + x, 60), outline=line, fill=fill, width=3)
    return read_sketch(drawing), photo


def test_lines_that_are_in_the_face_are_found():
    assert agreement(*painted()) > 0.97
    assert agreement(*painted(4)) > 0.97
    assert agreement(*painted(40)) < 0.6
    assert agreement(*painted(), tolerance=0) < agreement(*painted(), tolerance=2)


def test_half_of_the_lines():
    ink, photo = painted()
    rows = torch.arange(512)[None, :, None]
    photo.paste((220, 210, 200), (0, 260, 512, 512))
    expected = float(((ink > 0.5) & (rows < 262)).sum() / (ink > 0.5).sum())
    assert agreement(ink, photo) == pytest.approx(expected, abs=0.04)


def test_the_inside_of_a_filled_area_is_no_line():
    _, photo = painted()
    filled = Image.new("L", (512, 512), 255)
    ImageDraw.Draw(filled).ellipse((120, 100, 380, 420), fill=0)
    assert agreement(read_sketch(filled), photo) > 0.97


def test_nothing_is_found_of_nothing_and_in_nothing():
    ink, photo = painted()
    assert agreement(torch.zeros(1, 512, 512), photo) == 0
    assert agreement(ink, Image.new("RGB", (512, 512), "grey")) == 0
    with pytest.raises(ValueError, match="must be alike"):
        agreement(ink, photo.resize((256, 256)))


# HTML


class Reader(HTMLParser):
    """Counts tags, checks that they close in order, and keeps attributes and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_one_row_per_component_and_a_text_per_picture(found):
    page = Reader(helpers_html(found, 0.824))
    assert [attributes["scope"] for attributes in page.all("th")] == ["row"] * 5
    assert [word for word in page.words if word in TEXTS.values()][1:] == [TEXTS[name] for name in COMPONENTS]
    assert "82 % of your lines are found again in the face" in page.words
    images = page.all("img")
    assert len(images) == sum(map(len, found.values()))
    assert re.fullmatch(r"Left eye, known drawing 1: \d+ %", images[0]["alt"])
    picture = Image.open(io.BytesIO(base64.b64decode(images[0]["src"].removeprefix("data:image/png;base64,"))))
    assert picture.size == (THUMBNAIL, THUMBNAIL)
    assert "http" not in helpers_html(found)


def test_the_panel_is_small(found):
    assert len(helpers_html(found, 0.5)) < 150_000


def test_without_helpers_there_is_a_hint():
    assert TEXTS["nobody"] in Reader(helpers_html({})).words


def test_translations_are_used_and_escaped(found):
    texts = {"nose": '<b>Nase</b> & "Co"', "helper": '{component}" onload="x', "agreement": "<i>{percent}</i>"}
    page = Reader(helpers_html({"nose": found["nose"]}, 1, texts))
    assert {tag for tag, _ in page.tags} == {"div", "p", "table", "caption", "tbody", "tr", "th", "td", "img", "span"}
    assert texts["nose"] in page.words and "<i>100</i>" in page.words
    assert page.all("img")[0]["alt"] == texts["nose"] + '" onload="x'
    assert "onload" not in page.all("img")[0]


def test_what_the_networks_see_is_a_table_with_a_text_per_picture(pipe, face):
    seen = pipe.inspect(pipe.encode(face(3)), steps=3)
    page = Reader(inspection_html(seen, {"nose": "<b>Nase</b>"}))
    assert [attributes["scope"] for attributes in page.all("th")] == ["row"] * 5
    texts = [attributes["alt"] for attributes in page.all("img")]
    assert texts[:4] == ["Left eye, as drawn", *(f"Left eye, {percent} % refined" for percent in (0, 50, 100))]
    assert "<b>Nase</b>, as drawn" in texts and len(texts) == 5 * 4
    assert len(inspection_html(seen)) < 150_000 and "http" not in inspection_html(seen)

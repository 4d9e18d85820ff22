"""Fixtures shared by the tests: drawings, folders of faces, and a tiny pipeline with a bank of drawings."""

import pytest
import torch
from face_folder import make_face_folder
from PIL import Image, ImageDraw

from dfd.data.faces import FaceFolder
from dfd.manifold import ComponentManifold
from dfd.models.presets import build
from dfd.pipeline import DeepFaceDrawingPipeline

LATENT_DIM = 64
BANK_SIZE = 24


def draw_face(person: int = 0, without: tuple[str, ...] = ()) -> Image.Image:
    """A face in black lines on white, L, 512 x 512, that differs by person; parts can be left out."""
    image = Image.new("L", (512, 512), 255)
    pen = ImageDraw.Draw(image)
    a, b, c = 3 * (person % 5), 3 * (person // 5 % 5), 2 * (person % 7)
    shapes = {
        "left_eye": [((160 + a, 220 - b, 225 - b, 255 + a), 0, 360), ((185, 228, 203, 246), 0, 360)],
        "right_eye": [((290 + b, 220 - b, 350 + a, 255 + a), 0, 360), ((309, 228, 327, 246), 0, 360)],
        "nose": [((225 - a, 280 + c, 285 + b, 335), 20, 160), ((240, 270 + c, 270, 330), 90, 200)],
        "mouth": [((205 - b, 360 + c, 305 + a, 400 + c), 0, 360), ((200, 360, 310, 390 + a), 20, 160)],
        "remainder": [((100 - a, 40 + b, 412 + c, 506), 0, 360), ((60, 10 + c, 450, 400), 180, 360)],
    }
    for name, arcs in shapes.items():
        for box, start, end in arcs if name not in without else ():
            pen.arc(box, start, end, fill=0, width=3)
    return image


@pytest.fixture(scope="session")
def face():
    """`draw_face`, to draw other persons or incomplete faces."""
    return draw_face


def make_pipeline(with_manifold: bool = True) -> DeepFaceDrawingPipeline:
    """Tiny networks with random weights; person i of the bank is drawing i, with id 100 + i and gender i % 3."""
    torch.manual_seed(0)
    pipe = DeepFaceDrawingPipeline(**build("tiny", latent_dim=LATENT_DIM))
    for values in pipe.image_synthesis.parameters():
        if not values.any():  # blocks that start as the identity would ignore the appearance code
            torch.nn.init.normal_(values, std=0.1)
    if not with_manifold:
        return pipe
    codes = pipe.encode([draw_face(i) for i in range(BANK_SIZE)]).latents
    pipe.feature_mapping.set_statistics(codes)
    bank = ComponentManifold.from_codes(
        codes,
        sample_ids=100 + torch.arange(BANK_SIZE),
        genders=torch.arange(BANK_SIZE) % 3,
        appearance=torch.randn(BANK_SIZE, pipe.image_synthesis.config.appearance_dim),
    )
    return DeepFaceDrawingPipeline(**{**pipe.components, "manifold": bank})


@pytest.fixture(scope="session")
def pipe() -> DeepFaceDrawingPipeline:
    """See `make_pipeline`. Shared: do not change it."""
    return make_pipeline()


@pytest.fixture(scope="session")
def checkpoint(pipe, tmp_path_factory):
    """Folder with `pipe`, saved. Shared: copy it before changing it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    pipe.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def face_folder():
    """`make_face_folder(path, count=4, size=512, seed=0, **columns)`: writes a folder of drawn faces."""
    return make_face_folder


@pytest.fixture(scope="session")
def face_data(tmp_path_factory):
    """Folder of four drawn faces and the folder with its cache, built once: for `FaceFolder(*face_data)`."""
    root, cache = make_face_folder(tmp_path_factory.mktemp("faces")), tmp_path_factory.mktemp("cache")
    FaceFolder(root, cache)
    return root, cache


@pytest.fixture(scope="session")
def faces(face_data):
    """`FaceFolder` of four drawn faces, all of split `train`."""
    return FaceFolder(*face_data)

"""From trained parts to the pipeline folder that people load."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dfd import DeepFaceDrawingPipeline
from dfd.build_manifold import load_mean, main, save_pipeline
from dfd.data.faces import FaceFolder
from dfd.models import ImageSynthesis, LineExtractor, presets


@pytest.fixture(scope="module")
def built(face_folder, tmp_path_factory):
    """Output of the command on four faces, of which the last is a test face; a README was there before."""
    root = tmp_path_factory.mktemp("built")
    face_folder(root / "faces", count=4, split=["train"] * 3 + ["test"])
    torch.manual_seed(0)
    for name, model in presets.build("tiny", latent_dim=64).items():
        model.save_pretrained(root / name)
    LineExtractor((8, 8)).save_pretrained(root / "line_extractor")
    (root / "out").mkdir()
    (root / "out" / "README.md").write_text("kept")
    command = ["--data", "faces", "--autoencoders", ".", "--synthesis", ".", "--lines", ".", "--output", "out"]
    command += ["--cache", "cache"]
    main([part if part.startswith("--") else str(root / part) for part in command])
    return root


def test_the_folder_is_a_pipeline(built, face):
    pipe = DeepFaceDrawingPipeline.from_pretrained(built / "out")
    assert pipe(face(), num_neighbors=2).images[0].size == (512, 512)
    assert pipe.line_extractor.config.widths == [8, 8]


def test_test_faces_never_enter_the_bank(built):
    bank = load_file(built / "out" / "manifold" / "diffusion_pytorch_model.safetensors")
    assert bank["sample_ids"].tolist() == [0, 1, 2]
    assert bank["appearance"].shape == (3, 4)
    config = json.loads((built / "out" / "manifold" / "config.json").read_text())
    assert config["data_sha256"] == FaceFolder(built / "faces", built / "cache").names_sha256()


def test_a_folder_without_faces_for_the_bank_is_one_sentence(built):
    command = ["--data", "faces", "--autoencoders", ".", "--synthesis", ".", "--output", "none", "--cache", "cache"]
    command = [part if part.startswith("--") else str(built / part) for part in command]
    with pytest.raises(SystemExit, match=r"error: .* has no photos for the bank of 4000 px or more"):
        main([*command, "--min-size", "4000"])
    assert not (built / "none").exists()


def test_weights_are_stored_in_half_precision(built):
    weights = load_file(built / "out" / "image_synthesis" / "diffusion_pytorch_model.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float16}


def test_other_files_are_kept_and_no_path_is_told(built):
    assert (built / "out" / "README.md").read_text() == "kept"
    assert not (built / "out.partial").exists()
    configs = list((built / "out").glob("*/config.json"))
    assert len(configs) == 10
    assert all(str(built) not in config.read_text() and json.loads(config.read_text()) for config in configs)


def test_of_several_networks_the_mean_is_taken(built, tmp_path):
    torch.manual_seed(1)
    other = presets.build("tiny", latent_dim=64)["image_synthesis"]
    other.save_pretrained(tmp_path / "other")
    one = load_mean(ImageSynthesis, [built / "image_synthesis"])
    mean = load_mean(ImageSynthesis, [built / "image_synthesis", tmp_path / "other"]).state_dict()
    assert mean.keys() == other.state_dict().keys()
    for name, value in other.state_dict().items():
        assert torch.allclose(mean[name], (value + one.state_dict()[name]) / 2, atol=1e-6)
    assert any(not torch.equal(value, mean[name]) for name, value in one.state_dict().items())


def test_networks_of_different_shapes_have_no_mean(built, tmp_path):
    presets.build("compact", latent_dim=64)["image_synthesis"].save_pretrained(tmp_path / "other")
    with pytest.raises(ValueError, match="different shapes"):
        load_mean(ImageSynthesis, [built / "image_synthesis", tmp_path / "other"])


def test_missing_parts_are_named(built, tmp_path, capsys):
    with pytest.raises(SystemExit, match="left_eye_autoencoder"):
        main(["--data", str(built / "faces"), "--autoencoders", str(tmp_path), "--synthesis", ".", "--output", "out"])


def test_shipped_numbers_are_all_finite():
    files = sorted((Path(__file__).parents[1] / "checkpoints").glob("*/*.safetensors"))
    assert len(files) == 10
    for file in files:
        assert all(values.isfinite().all() for values in load_file(file).values()), file.parent.name


def test_buffers_beyond_half_precision_keep_their_values(pipe, tmp_path):
    pipe = deepcopy(pipe)
    norm = next(m for m in pipe.nose_autoencoder.modules() if isinstance(m, torch.nn.BatchNorm2d))
    norm.running_var[0] = 1e6
    save_pipeline(pipe, tmp_path / "out")
    stored = load_file(next((tmp_path / "out/nose_autoencoder").glob("*.safetensors")))
    assert all(values.isfinite().all() for values in stored.values())
    loaded = DeepFaceDrawingPipeline.from_pretrained(tmp_path / "out").nose_autoencoder
    norm = next(m for m in loaded.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert norm.running_var[0] == 1e6

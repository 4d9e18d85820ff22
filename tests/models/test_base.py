"""What all models share: saving, and strict loading."""

import json

import pytest
import torch
from diffusers import ModelMixin
from safetensors.torch import load_file, save_file

from dfd.models import AppearanceEncoder

WEIGHTS = "diffusion_pytorch_model.safetensors"
HALF = "diffusion_pytorch_model.fp16.safetensors"


@pytest.fixture
def folder(tmp_path):
    AppearanceEncoder(4, hidden=8).save_pretrained(tmp_path / "appearance")
    return tmp_path / "appearance"


def same(one, other):
    """Whether two models have the same weights."""
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_weights_become_float32_unless_asked_otherwise(folder):
    assert {p.dtype for p in AppearanceEncoder.from_pretrained(folder).parameters()} == {torch.float32}
    model = AppearanceEncoder.from_pretrained(folder, torch_dtype=torch.float16)
    assert {p.dtype for p in model.parameters()} == {torch.float16}
    model.save_pretrained(folder)
    assert {v.dtype for v in load_file(folder / WEIGHTS).values()} == {torch.float16}
    assert {p.dtype for p in AppearanceEncoder.from_pretrained(folder).parameters()} == {torch.float32}


def test_a_loaded_model_is_in_evaluation_mode_and_may_be_a_subfolder(folder):
    assert not AppearanceEncoder.from_pretrained(folder.parent, subfolder="appearance").training


def lack(weights):
    del weights["body.1.bias"]


def exceed(weights):
    weights["body.9.bias"] = torch.zeros(3)


def reshape(weights):
    weights["body.1.bias"] = torch.zeros(9)


@pytest.mark.parametrize(("damage", "key"), [(lack, "body.1.bias"), (exceed, "body.9.bias"), (reshape, "body.1.bias")])
def test_a_checkpoint_that_does_not_fit_is_refused(folder, damage, key):
    weights = load_file(folder / WEIGHTS)
    damage(weights)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / "checksums.json").unlink()
    with pytest.raises(ValueError, match=f"AppearanceEncoder.*(?s:.*){key}"):
        AppearanceEncoder.from_pretrained(folder)


def test_one_changed_byte_is_noticed_and_the_message_says_what_to_do(folder):
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-3] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(ValueError, match=f"appearance/{WEIGHTS} is damaged.*Get the file again"):
        AppearanceEncoder.from_pretrained(folder.parent, subfolder="appearance")
    AppearanceEncoder(4, hidden=8).save_pretrained(folder)
    AppearanceEncoder.from_pretrained(folder)


@pytest.mark.parametrize("name", ["checksums.json", "config.json"])
@pytest.mark.parametrize("text", ["{", "[]", "7", "null"])
def test_a_damaged_file_of_json_is_named(folder, name, text):
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=rf"appearance/{name} cannot be read"):
        AppearanceEncoder.from_pretrained(folder)


@pytest.mark.parametrize("value", ["many", None, [], {}, 0.5])
def test_a_config_with_a_value_of_a_wrong_type_is_named(folder, value):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden": value}))
    with pytest.raises(ValueError, match=r"cannot load AppearanceEncoder from .*appearance: "):
        AppearanceEncoder.from_pretrained(folder)


@pytest.mark.parametrize("dtype", ["float16", torch.int64, 16])
def test_other_precisions_are_refused(folder, dtype):
    with pytest.raises(ValueError, match=r"dtype must be torch\.float32, .*, got "):
        AppearanceEncoder.from_pretrained(folder, dtype=dtype)


def test_a_save_that_is_cut_off_is_never_loaded(folder, monkeypatch):
    save = ModelMixin.save_pretrained

    def die(self, directory, *args, **kwargs):
        save(self, directory, *args, **kwargs)  # the weights are whole, but who knows?
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ModelMixin, "save_pretrained", die)
        AppearanceEncoder(4, hidden=8).save_pretrained(folder)
    with pytest.raises(ValueError, match="appearance was not saved to its end: save the model again"):
        AppearanceEncoder.from_pretrained(folder)


def test_a_full_disk_is_named_and_what_it_holds_is_not_loaded(small_disk):
    with pytest.raises(OSError, match=r"disk/appearance cannot be written: .*No space left on device.*Make room"):
        AppearanceEncoder(4, hidden=512).save_pretrained(small_disk / "appearance")
    with pytest.raises((OSError, ValueError), match="appearance"):
        AppearanceEncoder.from_pretrained(small_disk / "appearance")


def test_a_variant_lies_beside_the_other_weights(folder):
    before, model = (folder / WEIGHTS).read_bytes(), AppearanceEncoder.from_pretrained(folder, dtype=torch.float16)
    model.save_pretrained(folder, variant="fp16")
    assert (folder / WEIGHTS).read_bytes() == before
    assert {v.dtype for v in load_file(folder / HALF).values()} == {torch.float16}
    assert set(json.loads((folder / "checksums.json").read_text())) == {WEIGHTS, HALF}
    assert same(AppearanceEncoder.from_pretrained(folder, variant="fp16"), model.float())


def test_a_variant_in_several_files_stays_when_the_other_weights_are_saved_again(folder):
    half, whole = AppearanceEncoder(4, hidden=8), AppearanceEncoder(4, hidden=8)
    half.save_pretrained(folder, variant="fp16", max_shard_size="10KB")
    whole.save_pretrained(folder)
    assert same(AppearanceEncoder.from_pretrained(folder, variant="fp16"), half)
    assert same(AppearanceEncoder.from_pretrained(folder), whole)


@pytest.mark.parametrize("options", [{"safe_serialization": False}, {"use_flashpack": True}])
def test_other_forms_than_safetensors_are_refused_and_leave_the_folder_alone(folder, options):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError, match="AppearanceEncoder is saved as safetensors only"):
        AppearanceEncoder(4, hidden=8).save_pretrained(folder, **options)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_what_was_saved_last_is_loaded_whatever_form_it_has(folder, variant):
    other = (folder / WEIGHTS).read_bytes()
    for size in ("10GB", "10KB", "15KB", "10GB"):
        model = AppearanceEncoder(4, hidden=8)
        model.save_pretrained(folder, variant=variant, max_shard_size=size)
        assert same(AppearanceEncoder.from_pretrained(folder, variant=variant), model)
        names = {path.name for path in folder.glob("*.safetensors")}
        assert set(json.loads((folder / "checksums.json").read_text())) == names
    assert names == ({WEIGHTS} if variant is None else {WEIGHTS, HALF})
    assert not list(folder.glob("*.index*"))
    assert variant is None or (folder / WEIGHTS).read_bytes() == other


def test_what_is_uploaded_has_its_checksums(folder, monkeypatch):
    pushed = []

    def push(self, repo_id, **options):
        pushed.append((repo_id, options, json.loads((folder / "checksums.json").read_text())))

    monkeypatch.setattr(ModelMixin, "push_to_hub", push)
    AppearanceEncoder(4, hidden=8).save_pretrained(folder, push_to_hub=True, repo_id="me/it", private=True)
    ((repo_id, options, checksums),) = pushed
    assert (repo_id, options) == ("me/it", {"variant": None, "private": True})
    assert set(checksums) == {WEIGHTS}

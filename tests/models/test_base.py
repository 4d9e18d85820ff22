"""What all models share: saving, and strict loading."""

import pytest
import torch
from diffusers import ModelMixin
from safetensors.torch import load_file, save_file

from dfd.models import AppearanceEncoder

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(tmp_path):
    AppearanceEncoder(4, hidden=8).save_pretrained(tmp_path / "appearance")
    return tmp_path / "appearance"


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


def test_a_damaged_list_of_checksums_is_named(folder):
    (folder / "checksums.json").write_text("{")
    with pytest.raises(ValueError, match=r"checksums\.json cannot be read"):
        AppearanceEncoder.from_pretrained(folder)


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

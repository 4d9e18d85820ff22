"""The base of every model of this package: a diffusers model that refuses an incomplete checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import ConfigMixin, ModelMixin
from safetensors import SafetensorError

from dfd.files import cannot_write, file_hash

#: Beside the weights: file name -> sha256.
CHECKSUMS = "checksums.json"


class Model(ModelMixin, ConfigMixin):
    """A diffusers model whose `from_pretrained` is strict, and notices damaged weights.

    diffusers itself only warns of a missing or an extra key, and leaves a missing parameter without storage,
    to fail later and elsewhere. diffusers also looks for the name `ModelMixin` in the module that defines a
    component: a file with a subclass of this one must import it, used or not.
    """

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, **kwargs):
        """Loads a model saved by `save_pretrained`, in evaluation mode.

        Args:
            pretrained_model_name_or_path: a folder or a hub repository.
            **kwargs: diffusers' own, such as `subfolder`, `revision`, `variant` and `dtype`. Without `dtype` the
                weights become float32, whatever the precision they are stored in.

        Raises:
            OSError: there is no such model; the message names it. Weights are read from safetensors only.
            ValueError: the checkpoint lacks a key, has one too many, or one of another shape, or is not what
                `save_pretrained` wrote; the message names the model, its folder and the keys.
        """
        name = pretrained_model_name_or_path
        where = "/".join(str(part) for part in (name, kwargs.get("subfolder")) if part)
        _check(Path(where))
        want_info = kwargs.pop("output_loading_info", False)
        dtype = kwargs.pop("dtype", None) or kwargs.pop("torch_dtype", None) or torch.float32
        kwargs["use_safetensors"] = True  # never a pickle
        try:
            # Converted below, by the model itself: it knows what must keep its precision.
            model, info = super().from_pretrained(name, output_loading_info=True, dtype=torch.float32, **kwargs)
        except (OSError, ValueError, RuntimeError) as error:
            kind = OSError if isinstance(error, OSError) else ValueError
            raise kind(f"cannot load {cls.__name__} from {where}: {error}") from error
        problems = [
            f"{kind.removesuffix('_keys')} {', '.join(sorted(map(str, info[kind])))}"
            for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")
            if info[kind]
        ]
        if problems:
            raise ValueError(f"checkpoint of {cls.__name__} in {where} does not fit: {'; '.join(problems)}")
        # Loaded tensors lie in the file's memory map as they come; off the usual alignment the same weights round
        # differently, and a saved and loaded model would not give the same picture to the last bit.
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.data = tensor.data.clone()
        if dtype != torch.float32:
            torch.nn.Module.to(model, dtype)
        return (model, info) if want_info else model

    def save_pretrained(self, save_directory, *args, **kwargs):
        """diffusers' own; also writes down what the weights are, for `from_pretrained` to compare.

        Until all is written the list is empty: `from_pretrained` refuses what a save left that was cut off.

        Raises:
            OSError: the folder cannot be written, as on a full disk; the message names it.
        """
        folder = Path(save_directory)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / CHECKSUMS).write_text("{}\n", "utf-8")
            super().save_pretrained(save_directory, *args, **kwargs)
            files = sorted(folder.glob("*.safetensors"))
            text = json.dumps({file.name: file_hash(file) for file in files}, indent=2) + "\n"
            (folder / CHECKSUMS).write_text(text, "utf-8")
        except (OSError, SafetensorError) as error:
            raise cannot_write(folder, error) from error


def _check(folder: Path) -> None:
    """Raises ValueError if weights in a folder are not those that were saved there."""
    try:
        expected = json.loads((folder / CHECKSUMS).read_text("utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder / CHECKSUMS} cannot be read: {error}") from error
    if not expected:
        raise ValueError(f"{folder} was not saved to its end: save the model again, or get the folder again")
    for name, checksum in expected.items():
        file = folder / name
        if file.is_file() and file_hash(file) != checksum:
            raise ValueError(
                f"{file} is damaged: its contents are not those that {CHECKSUMS} beside it tells. Get the file again; "
                f"if you have put other weights there on purpose, delete {CHECKSUMS}"
            )

"""The base of every model of this package: a diffusers model that refuses an incomplete checkpoint."""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Callable
from os import PathLike
from pathlib import Path

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFETENSORS_WEIGHTS_NAME
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
                `save_pretrained` wrote; the message names the model, its folder and the keys. Or dtype is no
                floating one of torch.
        """
        name = pretrained_model_name_or_path
        where = "/".join(str(part) for part in (name, kwargs.get("subfolder")) if part)
        want_info = kwargs.pop("output_loading_info", False)
        dtype = kwargs.pop("dtype", None) or kwargs.pop("torch_dtype", None) or torch.float32
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise ValueError(f"dtype must be torch.float32, torch.float16 or torch.bfloat16, got {dtype!r}")
        _check(Path(where))
        kwargs["use_safetensors"] = True  # never a pickle
        try:
            # Converted below, by the model itself: it knows what must keep its precision.
            model, info = super().from_pretrained(name, output_loading_info=True, dtype=torch.float32, **kwargs)
        except (OSError, ValueError, RuntimeError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
            # The last four: of values in a damaged config.
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

    # diffusers' pipeline hands on only the options that it finds here by their names.
    def save_pretrained(
        self,
        save_directory: str | PathLike,
        is_main_process: bool = True,
        save_function: Callable | None = None,
        safe_serialization: bool = True,
        variant: str | None = None,
        max_shard_size: int | str = "10GB",
        push_to_hub: bool = False,
        use_flashpack: bool = False,
        **kwargs,
    ):
        """diffusers' own; also writes down what the weights are, for `from_pretrained` to compare.

        Until all is written the list is empty: `from_pretrained` refuses what a save left that was cut off. Of the
        same variant, weights from before are removed; those of others stay.

        Args:
            save_directory: the folder; made if it is missing.
            variant: part of the weights' file names, such as "fp16". The weights keep the precision that they have.
            max_shard_size: bytes, or text such as "5GB", from which on there are several files.
            safe_serialization, use_flashpack: True and False: `from_pretrained` reads nothing but safetensors.
            push_to_hub: upload the saved model, too; `**kwargs` are `push_to_hub`'s, its `repo_id` the folder's name
                unless given.
            is_main_process, save_function: see diffusers.

        Raises:
            OSError: the folder cannot be written, as on a full disk; the message names it.
            ValueError: another form than safetensors; nothing is written.
        """
        if not safe_serialization or use_flashpack:
            raise ValueError(f"{type(self).__name__} is saved as safetensors only: it is loaded from nothing else")
        folder = Path(save_directory)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / CHECKSUMS).write_text("{}\n", "utf-8")
            if is_main_process:
                _remove_weights(folder, variant)
                self.save_config(folder)
            # diffusers' own tidying up, as the main process, takes files of other variants, too.
            super().save_pretrained(folder, False, save_function, variant=variant, max_shard_size=max_shard_size)
            files = sorted(folder.glob("*.safetensors"))
            text = json.dumps({file.name: file_hash(file) for file in files}, indent=2) + "\n"
            (folder / CHECKSUMS).write_text(text, "utf-8")
        except (OSError, SafetensorError) as error:
            raise cannot_write(folder, error) from error
        if push_to_hub:  # only now: diffusers' own save would upload the empty list
            self.push_to_hub(kwargs.pop("repo_id", folder.name), variant=variant, **kwargs)


def _remove_weights(folder: Path, variant: str | None) -> None:
    """Removes one variant's weights: in one file or in several, diffusers would load what it finds first."""
    suffix = "" if variant is None else f".{variant}"
    stem, index = SAFETENSORS_WEIGHTS_NAME.removesuffix(".safetensors"), SAFE_WEIGHTS_INDEX_NAME.removesuffix(".json")
    weights = re.compile(rf"{re.escape(stem + suffix)}(-\d{{5}}-of-\d{{5}})?\.safetensors")
    for file in folder.iterdir():
        if weights.fullmatch(file.name) or file.name == f"{index}{suffix}.json":
            file.unlink()


def _check(folder: Path) -> None:
    """Raises ValueError if a folder's config is none, or weights are not those that were saved there."""
    # What diffusers makes of a broken config it blames on the network.
    _read_object(folder / ModelMixin.config_name)
    expected = _read_object(folder / CHECKSUMS)
    if expected is None:
        return
    if not expected:
        raise ValueError(f"{folder} was not saved to its end: save the model again, or get the folder again")
    for name, checksum in expected.items():
        file = folder / name
        if file.is_file() and file_hash(file) != checksum:
            raise ValueError(
                f"{file} is damaged: its contents are not those that {CHECKSUMS} beside it tells. Get the file again; "
                f"if you have put other weights there on purpose, delete {CHECKSUMS}"
            )


def _read_object(path: Path) -> dict | None:
    """A JSON file's object; None if there is no such file. Raises ValueError if it is damaged."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} cannot be read: it holds no JSON object but {reprlib.repr(found)}")
    return found

"""The base of every model of this package: a diffusers model that refuses an incomplete checkpoint."""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin


class Model(ModelMixin, ConfigMixin):
    """A diffusers model whose `from_pretrained` is strict.

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
            ValueError: the checkpoint lacks a key, has one too many, or one of another shape; the message
                names the model, its folder and the keys.
        """
        name = pretrained_model_name_or_path
        where = "/".join(str(part) for part in (name, kwargs.get("subfolder")) if part)
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

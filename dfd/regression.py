"""Ridge regression: what is likely of a face, told linearly by its codes."""

from __future__ import annotations

import torch


def ridge(inputs: torch.Tensor, targets: torch.Tensor, strength: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Fits targets by inputs, each column of the inputs in units of its own spread.

    Args:
        inputs: float32 M x D.
        targets: float32 M x T.
        strength: added to the diagonal of the standardised inputs' D x D scatter matrix.

    Returns:
        slope float32 D x T and offset float32 T: `inputs @ slope + offset` is about `targets`.
    """
    centre, spread = inputs.mean(0), inputs.std(0, correction=0).clamp(min=1e-6)
    middle = targets.mean(0)
    standardised = (inputs - centre) / spread
    scatter = standardised.T @ standardised
    scatter.diagonal().add_(strength)
    slope = torch.linalg.solve(scatter, standardised.T @ (targets - middle)) / spread[:, None]
    return slope, middle - centre @ slope

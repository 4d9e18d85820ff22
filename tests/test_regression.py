import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from dfd.regression import ridge


def test_it_is_the_ridge_regression_of_standardised_inputs():
    torch.manual_seed(0)
    inputs = torch.randn(200, 12) * torch.logspace(-1, 1, 12) + 3
    targets = inputs[:, :3] * 2 + torch.randn(200, 3) - 5
    slope, offset = ridge(inputs, targets, 30.0)
    scaler = StandardScaler().fit(inputs.numpy())
    wanted = Ridge(30.0).fit(scaler.transform(inputs.numpy()), targets.numpy())
    predicted = wanted.predict(scaler.transform(inputs.numpy()))
    assert np.abs((inputs @ slope + offset).numpy() - predicted).max() < 1e-3


def test_inputs_that_never_vary_say_nothing():
    inputs = torch.cat([torch.randn(50, 2), torch.ones(50, 1)], 1)
    slope, offset = ridge(inputs, inputs[:, :1], 1.0)
    assert slope.isfinite().all() and offset.isfinite().all() and slope[2].abs() < 1e-3

"""Synapses over patches of images, by loops over pixels; channels are the last axis."""

import numpy as np


def surprisal_convolution(
    y, alpha, beta, *, excitation, stride, dilation, first, size, shares=None
):
    """−log α_c − log x_cp − Σ_abk log(1 − β_abkc y_abk(p)), shape (batch, *size, filters).

    Images y (batch, height, width, channels) are probabilities, and so are β and the `shares` of a
    mixture, (height, width, channels, filters) of a kernel. Patches begin at the pixel −`first`;
    outside the image y = 0.
    """
    batch, (height, width), (rows, columns) = len(y), y.shape[1:3], beta.shape[:2]
    middle = (rows - 1) // 2, (columns - 1) // 2
    result = np.empty((batch, *size, len(alpha)))
    for n, i, j, c in np.ndindex(*result.shape):
        x, product = 1.0 if excitation == "none" else 0.0, alpha[c]
        for a, b, k in np.ndindex(*beta.shape[:3]):
            row = i * stride[0] + a * dilation[0] - first[0]
            column = j * stride[1] + b * dilation[1] - first[1]
            inside = 0 <= row < height and 0 <= column < width
            value = y[n, row, column, k] if inside else 0.0
            product *= 1.0 - beta[a, b, k, c] * value
            if excitation == "mixture":
                x += shares[a, b, k, c] * value
            elif excitation == "input" and (a, b, k) == (*middle, c):
                x = value
        with np.errstate(divide="ignore"):  # x = 0 outside the image
            result[n, i, j, c] = -np.log(x) - np.log(product)
    return result

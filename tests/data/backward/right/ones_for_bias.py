#: input = "d"
#: loss = "squared_error"
#: reduction = "mean"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "sigmoid"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "identity"

import numpy as np


def backward(X, Y, W1, b1, W2, b2):
    N = X.shape[0]
    ones = np.ones((1, N))
    H = 1 / (1 + np.exp(-(X @ W1 + b1)))
    out = H @ W2 + b2
    d_out = 2 / N * (out - Y)
    gW2 = H.T @ d_out
    gb2 = ones @ d_out
    d_H = d_out @ W2.T
    d_Z = d_H * (H - H**2)
    gW1 = X.T @ d_Z
    gb1 = ones @ d_Z
    return {"W1": gW1, "b1": gb1, "W2": gW2, "b2": gb2}

#: input = "d"
#: loss = "squared_error"
#: reduction = "mean"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "tanh"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "identity"

import numpy as np


def backward(x, t, W1, b1, W2, b2):
    n = len(x)
    a1 = x @ W1 + b1
    h1 = np.tanh(a1)
    y_hat = h1 @ W2 + b2
    loss = np.sum((y_hat - t) ** 2) / n
    grad_y = 2 * (y_hat - t) / n
    grad_W2 = h1.T @ grad_y
    grad_b2 = grad_y.sum(0)
    grad_h = grad_y @ W2.T
    grad_a = grad_h * (1 - h1 * h1)
    grad_W1 = x.T @ grad_a
    grad_b1 = grad_a.sum(0)
    return loss, (grad_W1, grad_b1, grad_W2, grad_b2)

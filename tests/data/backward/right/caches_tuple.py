#: input = "d"
#: loss = "binary_cross_entropy"
#: reduction = "mean"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "sigmoid"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "sigmoid"

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward(x, W1, b1, W2, b2):
    a1 = sigmoid(x @ W1.T + b1)
    a2 = sigmoid(a1 @ W2.T + b2)
    return a1, a2


def backward(x, y, W1, b1, W2, b2):
    a1, a2 = forward(x, W1, b1, W2, b2)
    dz2 = (a2 - y) / len(y)
    dz1 = dz2 @ W2 * a1 * (1 - a1)
    return {
        "dW1": dz1.T @ x,
        "db1": dz1.sum(axis=0),
        "dW2": dz2.T @ a1,
        "db2": dz2.sum(axis=0),
    }

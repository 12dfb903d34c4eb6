#: input = "d"
#: loss = "squared_error"
#: reduction = "mean"
#: half = true
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "identity"

import numpy as np


def backward(X, y, W, b):
    pred = X @ W + b
    error = pred - y
    dW = X.T @ error / len(X)
    db = error.mean(axis=0)
    return dW, db

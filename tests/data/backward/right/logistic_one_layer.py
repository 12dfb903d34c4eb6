#: input = "d"
#: loss = "binary_cross_entropy"
#: reduction = "mean"
#: [[layers]]
#: type = "dense"
#: units = 1
#: activation = "sigmoid"

import numpy as np


def backward(w, b, X, Y):
    m = X.shape[1]
    A = 1 / (1 + np.exp(-(np.dot(w.T, X) + b)))
    dw = np.dot(X, (A - Y).T) / m
    db = np.sum(A - Y, axis=1, keepdims=True) / m
    return {"dw": dw, "db": db}

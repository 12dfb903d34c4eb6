#: input = "d"
#: loss = "binary_cross_entropy"
#: reduction = "mean"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "relu"
#: [[layers]]
#: type = "dense"
#: units = "g"
#: activation = "relu"
#: [[layers]]
#: type = "dense"
#: units = 1
#: activation = "sigmoid"

import numpy as np


def backward(params, cache, X, Y):
    L = 3
    m = Y.shape[1]
    grads = {}
    AL = cache["A" + str(L)]
    grads["dA" + str(L)] = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))
    for l in range(L, 0, -1):
        A_prev = X if l == 1 else cache["A" + str(l - 1)]
        if l == L:
            dZ = grads["dA" + str(l)] * AL * (1 - AL)
        else:
            dZ = np.where(cache["Z" + str(l)] > 0, grads["dA" + str(l)], 0)
        grads["dW" + str(l)] = dZ @ A_prev.T / m
        grads["db" + str(l)] = np.sum(dZ, axis=1, keepdims=True) / m
        grads["dA" + str(l - 1)] = params["W" + str(l)].T @ dZ
    return grads

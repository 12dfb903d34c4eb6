"""Two backward passes for the network of two-layer.toml, as people write them.

`backward` is right. `backward_wrong` has two slips of the usual kind.
"""

import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def backward(x, y, W1, b1, W2, b2):
    n = x.shape[0]
    h1 = np.tanh(x @ W1 + b1)
    yhat = softmax(h1 @ W2 + b2)

    dz2 = (yhat - y) / n
    dW2 = h1.T @ dz2
    db2 = dz2.sum(axis=0)

    dh1 = dz2 @ W2.T
    dz1 = dh1 * (1 - h1**2)
    dW1 = x.T @ dz1
    db1 = dz1.sum(axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def backward_wrong(x, y, W1, b1, W2, b2):
    n = x.shape[0]
    h1 = np.tanh(x @ W1 + b1)
    yhat = softmax(h1 @ W2 + b2)

    error2 = yhat - y
    dW2 = h1.T @ error2 / n
    db2 = error2.sum(axis=0)

    error1 = error2 @ W2.T
    dW1 = x.T @ error1 / n
    db1 = error1.sum(axis=0) / n
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}

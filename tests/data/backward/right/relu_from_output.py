#: input = "d"
#: loss = "cross_entropy"
#: reduction = "mean"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "relu"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "softmax"

import numpy as np


def drelu(a):
    return (a > 0).astype(float)


def softmax(s):
    e = np.exp(s - s.max(axis=0))
    return e / e.sum(axis=0)


def backward(X, T, W1, b1, W2, b2):
    N = X.shape[1]
    A1 = np.maximum(0, W1.dot(X) + b1)
    P = softmax(W2.dot(A1) + b2)
    G2 = P - T
    dW2 = G2.dot(A1.T) / N
    db2 = G2.mean(axis=1, keepdims=True)
    G1 = W2.T.dot(G2) * drelu(A1)
    dW1 = G1.dot(X.T) / N
    db1 = G1.mean(axis=1, keepdims=True)
    return dW1, db1, dW2, db2

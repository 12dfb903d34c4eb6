#: input = "d"
#: loss = "cross_entropy"
#: reduction = "sum"
#: [[layers]]
#: type = "dense"
#: units = "h"
#: activation = "tanh"
#: [[layers]]
#: type = "dense"
#: units = "k"
#: activation = "softmax"

import numpy as np


def backward(params, x, y):
    h1 = np.tanh(np.einsum("ni,ij->nj", x, params["W1"]) + params["b1"])
    z2 = np.einsum("nj,jk->nk", h1, params["W2"]) + params["b2"]
    e = np.exp(z2)
    yhat = e / e.sum(axis=1)[:, None]
    delta2 = yhat - y
    dW2 = np.einsum("nj,nk->jk", h1, delta2)
    delta1 = np.einsum("nk,jk->nj", delta2, params["W2"]) * (1 - h1**2)
    dW1 = np.einsum("ni,nj->ij", x, delta1)
    return {"W1": dW1, "b1": delta1.sum(axis=0), "W2": dW2, "b2": delta2.sum(axis=0)}

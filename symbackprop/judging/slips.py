r"""The slips people make in a derivation, each with a name, a sentence and an example.

Owns: the closed list of slips, as `symbackprop explain SLIP` shows it. Refuses: finding them.
Wrong if an example's right side were wrong, or its wrong side right; the tests compute both.

The examples are of one network: samples as rows, widths 2-3-4-5, sigmoid, sigmoid and softmax,
the cross-entropy summed over N samples. `delta2` is ∂L/∂z². Where another one is meant, the
meaning says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from symbackprop.errors import UsageError, did_you_mean, printable


@dataclass(frozen=True)
class Slip:
    """`slug` is its name in reports, `title` a few words, `meaning` what it is and how it comes
    about, `wrong` and `right` a LaTeX example, `wrong_code` and `right_code` one in NumPy."""

    slug: str
    title: str
    meaning: str
    wrong: str
    right: str
    wrong_code: str = ""
    right_code: str = ""


SLUGS = (
    "transpose",  # 1 a transpose missing or too much
    "order",  # 1 factors in the wrong order
    "layer",  # 2 the layer next to it
    "derivative-missing",  # 3 f where f' is meant, or no f' at all
    "derivative-argument",  # 4 f' at the wrong argument
    "derivative-twice",  # 5
    "sample-count",  # 6 1/N missing or doubled
    "batch-sum",  # 7 a bias gradient not summed over the samples
    "sign",  # 8
    "softmax-elementwise",  # 9
    "upstream-missing",  # 10
    "path-missing",  # 11
    "wrong-variable",  # 12
    "index",  # 13 an element's or dummy index, or a bound
    "layout",  # 14
    "constant",  # 15 a factor 2, 1/2 …
    "operator",  # 15 a matrix product for an entrywise one, or back
    "size",  # a literal matrix, row or column of the wrong size or with a wrong entry
    "ill-formed",  # an index or a mark is missing
    "arithmetic",  # a number of a worked example
)


def find(slug: str) -> Slip:
    """The slip of that name.

    Raises: UsageError with the nearest name.

    >>> find("batch-sum").right_code
    'db3 = delta3.sum(axis=0)'
    """
    for slip in SLIPS:
        if slip.slug == slug:
            return slip
    hint = did_you_mean(slug, SLUGS)
    raise UsageError(
        f"slip: found {printable(repr(slug[:60]))}, expected one of {', '.join(SLUGS)}"
        + (f"; {hint}" if hint else "")
    )


def title_of(slug: str) -> str:
    """A slip in a few words; the slug itself where the list does not have it."""
    return next((slip.title for slip in SLIPS if slip.slug == slug), slug)


SLIPS: tuple[Slip, ...] = (
    Slip(
        "transpose",
        "a transpose is missing or too much",
        "A matrix stands as it is where its transpose belongs, or the other way round. It comes "
        "from copying a formula between texts that hold samples as rows and texts that hold them "
        "as columns. The gradient of a weight matrix has the shape of that matrix: write the "
        "shapes below the factors and see whether they meet. With square matrices the shapes "
        "meet anyway and only the values differ, so check with widths that differ.",
        r"\frac{\partial L}{\partial W^{2}} = h^{1} \delta^{2}",
        r"\frac{\partial L}{\partial W^{2}} = h^{1\top} \delta^{2}",
        "dW2 = h1 @ delta2",
        "dW2 = h1.T @ delta2",
    ),
    Slip(
        "order",
        "factors in the wrong order",
        "The right factors are multiplied in an order that matrices do not allow to change. The "
        "chain rule for numbers commutes, the one for matrices does not. With samples as rows, "
        "weights stand to the right of δ; with samples as columns, to its left.",
        r"\delta^{2} = \left(W^{3\top} \delta^{3}\right) \circ \sigma'\left(z^{2}\right)",
        r"\delta^{2} = \left(\delta^{3} W^{3\top}\right) \circ \sigma'\left(z^{2}\right)",
        "delta2 = (W3.T @ delta3) * h2 * (1 - h2)",
        "delta2 = (delta3 @ W3.T) * h2 * (1 - h2)",
    ),
    Slip(
        "layer",
        "the layer next to it",
        "A quantity of the layer before or after stands where this layer's belongs: h² for h¹, W² "
        "for W³. Backwards, δ of layer l is made with the weights of layer l+1, and the weights of "
        "layer l meet the output of layer l−1; one count of layers from 0 and one from 1 are "
        "easily mixed. Ask for each factor between which two layers it stands.",
        r"\frac{\partial L}{\partial W^{2}} = h^{2\top} \delta^{2}",
        r"\frac{\partial L}{\partial W^{2}} = h^{1\top} \delta^{2}",
        "dW2 = h2.T @ delta2",
        "dW2 = h1.T @ delta2",
    ),
    Slip(
        "derivative-missing",
        "the activation's derivative is missing",
        "An activation was passed on the way back without its derivative, or the activation itself "
        "stands where its derivative is meant. Each box of the graph gives one factor: going back "
        "over h = σ(z) always multiplies by σ'(z). The factor is only absent where the layer has "
        "no activation, or where it has been absorbed already, as in ŷ − y.",
        r"\delta^{2} = \delta^{3} W^{3\top}",
        r"\delta^{2} = \left(\delta^{3} W^{3\top}\right) \circ \sigma'\left(z^{2}\right)",
        "delta2 = delta3 @ W3.T",
        "delta2 = (delta3 @ W3.T) * h2 * (1 - h2)",
    ),
    Slip(
        "derivative-argument",
        "the activation's derivative at the wrong place",
        "σ' is taken at the output h of the activation instead of at its input z. In code it "
        "happens with helpers: some expect z, others expect h, where h(1 − h) is right. σ'(z) is "
        "never larger than 1/4, and σ'(h) sees only h between 0 and 1, so the result looks sound.",
        r"\delta^{2} = \left(\delta^{3} W^{3\top}\right) \circ \sigma'\left(h^{2}\right)",
        r"\delta^{2} = \left(\delta^{3} W^{3\top}\right) \circ \sigma'\left(z^{2}\right)",
        "delta2 = (delta3 @ W3.T) * sigmoid(h2) * (1 - sigmoid(h2))",
        "delta2 = (delta3 @ W3.T) * sigmoid(z2) * (1 - sigmoid(z2))",
    ),
    Slip(
        "derivative-twice",
        "a derivative is applied twice",
        "A factor that has been absorbed already is multiplied once more. The usual case: ŷ − y is "
        "the derivative of softmax and cross-entropy together (or of sigmoid and binary "
        "cross-entropy), and is then multiplied by the derivative of the activation again.",
        r"\delta^{3} = \left(\hat{y} - y\right) \circ \hat{y} \circ \left(1 - \hat{y}\right)",
        r"\delta^{3} = \hat{y} - y",
        "delta3 = (yhat - y) * yhat * (1 - yhat)",
        "delta3 = yhat - y",
    ),
    Slip(
        "sample-count",
        "1/N is missing or doubled",
        "The factor 1/N of a mean over N samples is lost, or stands twice: once in δ and once more "
        "in the gradient. It belongs to the loss and enters once, wherever the writer carries it. "
        "The result is a multiple of the right one, so training still works with another step "
        "length, and the slip stays unseen. Here L is the mean over the samples.",
        r"\frac{\partial L}{\partial W^{3}} = h^{2\top} \left(\hat{y} - y\right)",
        r"\frac{\partial L}{\partial W^{3}} = \frac{1}{N} h^{2\top} \left(\hat{y} - y\right)",
        "dW3 = h2.T @ (yhat - y)",
        "dW3 = h2.T @ (yhat - y) / N",
    ),
    Slip(
        "batch-sum",
        "a bias gradient is not summed over the samples",
        "The bias is one row that every sample uses, so the contributions of all samples add up. δ "
        "alone has a row for each sample, which is not the shape of the bias. Broadcasting hides "
        "it in code until the bias has grown to as many rows as there are samples.",
        r"\frac{\partial L}{\partial b^{3}} = \delta^{3}",
        r"\frac{\partial L}{\partial b^{3}} = \sum_{n=1}^{N} \delta^{3}_{n}",
        "db3 = delta3",
        "db3 = delta3.sum(axis=0)",
    ),
    Slip(
        "sign",
        "a sign",
        "The result has the right size and the opposite sign: y − ŷ for ŷ − y, or a lost minus of "
        "the logarithm or of 1 − h. With the wrong sign gradient descent climbs. (Where a text "
        "writes y − ŷ and then adds the step, both signs change, and nothing is wrong.)",
        r"\delta^{3} = y - \hat{y}",
        r"\delta^{3} = \hat{y} - y",
        "delta3 = y - yhat",
        "delta3 = yhat - y",
    ),
    Slip(
        "softmax-elementwise",
        "softmax treated as if it worked on each entry alone",
        "Every output of softmax depends on every input, because all share one denominator. Its "
        "derivative is a full matrix; ŷ(1 − ŷ) is only the diagonal. Ask what happens to ŷ₂ when "
        "z₁ grows: it shrinks, so that derivative is not zero.",
        r"\frac{\partial L}{\partial z^{3}_{k}} = "
        r"\frac{\partial L}{\partial \hat{y}_{k}} \hat{y}_{k} \left(1 - \hat{y}_{k}\right)",
        r"\frac{\partial L}{\partial z^{3}_{k}} = \sum_{j} "
        r"\frac{\partial L}{\partial \hat{y}_{j}} \hat{y}_{j} "
        r"\left(\delta_{jk} - \hat{y}_{k}\right)",
        "delta3 = dyhat * yhat * (1 - yhat)",
        "delta3 = yhat * (dyhat - (dyhat * yhat).sum(axis=1, keepdims=True))",
    ),
    Slip(
        "upstream-missing",
        "the factor from above is missing",
        "The local derivative stands alone; what arrives from the layers above was not multiplied "
        "in. The result would then be the same for every label, which no gradient of a loss is.",
        r"\frac{\partial L}{\partial W^{2}} = h^{1\top} \sigma'\left(z^{2}\right)",
        r"\frac{\partial L}{\partial W^{2}} = h^{1\top} "
        r"\left(\left(\delta^{3} W^{3\top}\right) \circ \sigma'\left(z^{2}\right)\right)",
        "dW2 = h1.T @ (h2 * (1 - h2))",
        "dW2 = h1.T @ ((delta3 @ W3.T) * h2 * (1 - h2))",
    ),
    Slip(
        "path-missing",
        "a path is missing",
        "A value reaches the loss along several paths, and the chain rule adds one term for each; "
        "at least one was left out. A unit of a hidden layer acts on every unit of the next layer. "
        "Draw the arrows that leave the value and count them.",
        r"\frac{\partial L}{\partial h^{2}_{1}} = \delta^{3}_{1} w^{3}_{11}",
        r"\frac{\partial L}{\partial h^{2}_{1}} = \sum_{k} \delta^{3}_{k} w^{3}_{1k}",
        "dh2_1 = delta3[:, 0] * W3[0, 0]",
        "dh2_1 = delta3 @ W3[0, :]",
    ),
    Slip(
        "wrong-variable",
        "another quantity of the same shape",
        "A quantity stands in place of one that has the same shape, so that no shape gives it "
        "away: z for h, y for ŷ, one δ for another. A weight multiplies what enters its layer, "
        "which is the activation's output and not its input.",
        r"\frac{\partial L}{\partial W^{3}} = z^{2\top} \delta^{3}",
        r"\frac{\partial L}{\partial W^{3}} = h^{2\top} \delta^{3}",
        "dW3 = z2.T @ delta3",
        "dW3 = h2.T @ delta3",
    ),
    Slip(
        "index",
        "an index or a bound",
        "The formula is right but for the index of an entry, a summed index, or the bound of a "
        "sum: two indices exchanged, one index used for two purposes, or a sum that runs over the "
        "wrong layer. Every index of the left side appears on the right, and every other one "
        "belongs to a sum.",
        r"\frac{\partial L}{\partial W^{2}_{ij}} = \sum_{n} h^{1}_{nj} \delta^{2}_{ni}",
        r"\frac{\partial L}{\partial W^{2}_{ij}} = \sum_{n} h^{1}_{ni} \delta^{2}_{nj}",
        'dW2 = np.einsum("nj,ni->ij", h1, delta2)',
        'dW2 = np.einsum("ni,nj->ij", h1, delta2)',
    ),
    Slip(
        "layout",
        "two layouts of a derivative are mixed",
        "A derivative of a vector with respect to a vector is written with the outputs as rows "
        "(numerator layout) or as columns (denominator layout). Either is right; a product of one "
        "of each is not. Here ∂z²/∂h¹ is Wᵀ in the layout in which the chain stands.",
        r"\frac{\partial L}{\partial h^{1}} = "
        r"\frac{\partial L}{\partial z^{2}} \frac{\partial z^{2}}{\partial h^{1}} "
        r"= \delta^{2} W^{2}",
        r"\frac{\partial L}{\partial h^{1}} = "
        r"\frac{\partial L}{\partial z^{2}} \frac{\partial z^{2}}{\partial h^{1}} "
        r"= \delta^{2} W^{2\top}",
        "dh1 = delta2 @ W2",
        "dh1 = delta2 @ W2.T",
    ),
    Slip(
        "constant",
        "a constant factor",
        "The result is right but for a fixed number such as 2 or 1/2. The derivative of a square "
        "brings down a 2; it disappears only when the loss has the factor 1/2. Here the last layer "
        "has no activation and L = Σ (ŷ − y)², without 1/2.",
        r"\delta^{3} = \hat{y} - y",
        r"\delta^{3} = 2 \left(\hat{y} - y\right)",
        "delta3 = yhat - y",
        "delta3 = 2 * (yhat - y)",
    ),
    Slip(
        "operator",
        "a matrix product for an entrywise product, or the other way round",
        "The factors are right, but joined by the other product. An activation works on each entry "
        "alone, so going back over it multiplies entry by entry (∘ or ⊙, `*` in NumPy); a weight "
        "matrix mixes entries, so going back over it is a matrix product (`@`).",
        r"\delta^{2} = \left(\delta^{3} W^{3\top}\right) \sigma'\left(z^{2}\right)",
        r"\delta^{2} = \left(\delta^{3} W^{3\top}\right) \circ \sigma'\left(z^{2}\right)",
        "delta2 = (delta3 @ W3.T) @ (h2 * (1 - h2))",
        "delta2 = (delta3 @ W3.T) * (h2 * (1 - h2))",
    ),
    Slip(
        "size",
        "a written-out matrix of the wrong size, or with a wrong entry",
        "A matrix, row or column written out entry by entry does not have the size that the "
        "network gives it, or one of its entries is not the one its place asks for; often a line "
        "was copied and only half changed. Compare the number of rows and columns with the widths "
        "of the two layers. Here layer 1 has three units.",
        r"b^{1} = \begin{bmatrix} b^{1}_{1} & b^{1}_{2} \end{bmatrix}",
        r"b^{1} = \begin{bmatrix} b^{1}_{1} & b^{1}_{2} & b^{1}_{3} \end{bmatrix}",
        "b1 = np.array([0.1, 0.2])",
        "b1 = np.array([0.1, 0.2, 0.3])",
    ),
    Slip(
        "ill-formed",
        "a mark or an index is missing",
        "The formula says less than it needs to mean one thing: the layer of a weight is not "
        "given, an index is used that nothing introduces, or a product does not say what it "
        "multiplies. There may be a reading under which it is right; the text does not say which.",
        r"\frac{\partial L}{\partial W^{2}} = h^{\top} \delta^{2}",
        r"\frac{\partial L}{\partial W^{2}} = h^{1\top} \delta^{2}",
        "dW2 = h.T @ delta2",
        "dW2 = h1.T @ delta2",
    ),
    Slip(
        "arithmetic",
        "a number computed wrongly",
        "The formula is right, and a number put into it or computed from it is not. A decimal "
        "stands for every number that is rounded to it, and what follows from rounded numbers may "
        "differ in its last digits: that alone is no slip. Here σ(0) = 0.5.",
        r"\sigma'\left(0\right) = 0.5 \left(1 - 0.5\right) = 0.5",
        r"\sigma'\left(0\right) = 0.5 \left(1 - 0.5\right) = 0.25",
        "slope = 0.5 * (1 - 0.05)",
        "slope = 0.5 * (1 - 0.5)",
    ),
)

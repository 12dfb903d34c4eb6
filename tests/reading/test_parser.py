r"""Hand-written mathematics becomes the tree that its author meant, or an `Unread` that says why.

The tables hold formulas in the spellings of public derivations beside their tree, written compactly
(`dump`): `{a . b}` juxtaposed, `{a / b}` a quotient, `{+a -b}` a sum, `!W` bold, `f@(z)` applied,
`partial(L by W)` a derivative and `partial>(L by W)` an operator with its operand behind,
`_⟨i,j⟩` a script with two parts, `a || b` two statements, `&` a first side taken from above,
`#` the remark and `?` its conditions.
"""

from __future__ import annotations

import json
import re
import time
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, assert_never

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop import api
from symbackprop.document.render import render
from symbackprop.notation import LAYER_MARKS, SAMPLE_LAYOUTS
from symbackprop.reading.latex.lexer import tokenize
from symbackprop.reading.latex.macros import collect
from symbackprop.reading.latex.parser import read
from symbackprop.reading.latex.syntax import (
    Apply,
    Big,
    Bound,
    Cases,
    Comparison,
    Derivative,
    Dots,
    Group,
    Indicator,
    Matrix,
    Node,
    Norm,
    Number,
    Product,
    Quotient,
    Root,
    Script,
    Scripted,
    Statement,
    Sum,
    Symbol,
    Unread,
    walk,
)
from tests.places import DATA, ROOT

SEED = DATA / "four_layer_map.toml"
CLOSING = {"(": ")", "[": "]", "{": "}", "": ""}


# Trees in one line -------------------------------------------------------------------------------


def dump(node: Node) -> str:
    match node:
        case Number():
            return node.text or "blank"
        case Symbol():
            return ("!" if node.bold else "") + node.head
        case Scripted():
            base = dump(node.base)
            base = f"<{base}>" if isinstance(node.base, Scripted) else base
            return base + "".join(map(script, node.scripts))
        case Group():
            return f"{node.bracket[-1:]}{listed(node.items)}{CLOSING[node.bracket[-1:]]}"
        case Apply():
            return f"{dump(node.function)}@({listed(node.arguments)})"
        case Product():
            return "{" + f" {node.sign or '.'} ".join(map(dump, node.factors)) + "}"
        case Quotient():
            return f"{{{dump(node.numerator)} / {dump(node.denominator)}}}"
        case Sum():
            return "{" + " ".join(map(signed, node.signs, node.terms)) + "}"
        case Comparison():
            return f"{dump(node.left)} {node.relation} {dump(node.right)}"
        case Big():
            return f"{node.kind}<{'; '.join(map(bound, node.bounds))}>{dump(node.body)}"
        case Derivative():
            mark = ">" if node.operator else ""
            return f"{node.sign}{mark}({optional(node.of)} by {optional(node.wrt)})"
        case Matrix():
            return "[" + "; ".join(" & ".join(map(dump, row)) for row in node.rows) + "]m"
        case Cases():
            return f"cases({'; '.join(branch(*pair) for pair in node.branches)})"
        case Indicator():
            return f"1({dump(node.condition)})"
        case Norm():
            bar = "|" if node.single else "||"
            return f"{bar}{dump(node.content)}{bar}"
        case Root():
            return f"root({dump(node.content)})"
        case Dots():
            return "..."
    assert_never(node)


def listed(nodes: tuple[Node, ...]) -> str:
    return ", ".join(map(dump, nodes))


def signed(sign: int, term: Node) -> str:
    return ("+" if sign > 0 else "-") + dump(term)


def optional(node: Node | None) -> str:
    return "?" if node is None else dump(node)


def branch(value: Node, condition: Node | None) -> str:
    return dump(value) if condition is None else f"{dump(value)} if {dump(condition)}"


def script(mark: Script) -> str:
    place = "^" if mark.place == "above" else "_"
    if mark.kind != "group":
        return {"transpose": "^T", "prime": "'", "star": f"{place}*", "inverse": "^-1"}[mark.kind]
    inner = ",".join(map(dump, mark.parts))
    if mark.bracket:
        return f"{place}{mark.bracket[-1]}{inner}{CLOSING[mark.bracket[-1]]}"
    return place + (inner if len(inner) == 1 else f"⟨{inner}⟩")


def bound(summed: Bound) -> str:
    lower = "" if summed.lower is None else f"={dump(summed.lower)}"
    upper = "" if summed.upper is None else f"..{dump(summed.upper)}"
    conditions = "".join(f" | {dump(condition)}" for condition in summed.conditions)
    return dump(summed.variable) + lower + upper + conditions


def show(found: Statement | Unread) -> str:
    if isinstance(found, Unread):
        return f"unread at {found.at}: {found.reason}"
    text = ("&" if found.continues else "") + dump(found.sides[0])
    for relation, side in zip(found.relations, found.sides[1:], strict=True):
        text += f" {relation} {dump(side)}"
    text += f"   # {found.remark}" if found.remark else ""
    return text + (f"   ?{listed(found.conditions)}" if found.conditions else "")


def shown(latex: str) -> str:
    return " || ".join(map(show, read(latex)))


# Spellings ---------------------------------------------------------------------------------------

READ = (
    (r"a &= \left( b \quad & + c \right) d", "a = {({+b +c}) . d}"),
    (r"W^{[l]}{}^T", "W^[l]^T"),
    ("dW1 = X^T dZ1", "dW1 = {X^T . dZ1}"),
    (r"L = -\log(p_y), \; p = softmax(z)", "L = {-log@(p_y)} || p = softmax@(z)"),
    (r"x = y \\[1em] \text{and} \\ z = w", "x = y || z = w"),
    (r"e^{x_i}/\sum_j e^{x_j}", "{e^⟨x_i⟩ / sum<j>e^⟨x_j⟩}"),
    (r"\sum_{c=1}^My_{o,c}\log(p_{o,c})", "sum<c=1..M>{y_⟨o,c⟩ . log@(p_⟨o,c⟩)}"),
    (r"y = f(x) \quad \text{where} \quad x \in R", r"y = {f . (x)}   # where x \in R   ?x \in R"),
    (r"a = b \quad \text{for } l = L-1, \dots, 1", r"a = b   # for l = L-1, \dots, 1"),
    (r"\text{d}x = \text{dout} * W", "dx = {dout * W}"),
    (r"y = x^{\circ 2}", "y = x^⟨{2}⟩"),
    (r"\mathbf{z}^{3}", "!z^3"),
    (r"\boldsymbol{\delta}^{(L)}", r"!\delta^(L)"),
    (r"\bm\delta^l", r"!\delta^l"),
    (r"\vec{x}_i", "!x_i"),
    (r"\mathcal{L}(\hat y, y)", r"{\mathcal{L} . (\hat{y}, y)}"),
    (r"\mathbb{R}^{n \times m}", r"\mathbb{R}^⟨{n \times m}⟩"),
    (r"\hat{y_1}", r"\hat{y}_1"),
    (r"\mathbf{\hat{z}}^3", r"!\hat{z}^3"),
    (r"\hat{\mathbf{y}}_{n}^{(i)}", r"!\hat{y}_n^(i)"),
    (r"\widehat{y}_i", r"\hat{y}_i"),
    (r"\mathbf{H(y, \hat{y}})", r"{!H . (!y, !\hat{y})}"),
    (r"\mathbf{input}^l", "!input^l"),
    (r"\text{softmax}(z)_i", "softmax@(z)_i"),
    (r"\mathrm{ReLU}'(z)", "ReLU'@(z)"),
    (r"\operatorname{diag}(h)", "diag@(h)"),
    (r"\operatorname*{arg\,max}_k p_k", "argmax_k@(p_k)"),
    (r"\log \hat y_i", r"log@(\hat{y}_i)"),
    (r"\log(\hat y_i)", r"log@(\hat{y}_i)"),
    (r"\log\left(\hat y_i\right)", r"log@(\hat{y}_i)"),
    (r"\ln p(x)", "ln@({p . (x)})"),
    (r"\log \sigma(z)", r"log@({\sigma . (z)})"),
    (r"\tanh^2 z", "tanh^2@(z)"),
    (r"1 - \tanh^2(z)", "{+1 -tanh^2@(z)}"),
    (r"\exp(z)^2", "exp@(z)^2"),
    (r"\sigma(z)(1-\sigma(z))", r"{\sigma . (z) . ({+1 -{\sigma . (z)}})}"),
    ("f'(z)", "{f' . (z)}"),
    ("f''(z)", "{f'' . (z)}"),
    (r"\sigma^{\prime}(z^{(l)})", r"{\sigma' . (z^(l))}"),
    (r"\sigma'\left(\mathbf{z}^l\right)", r"{\sigma' . (!z^l)}"),
    (
        "δ^l = (W^{l+1})ᵀ δ^{l+1} ⊙ σ′(z^l)",
        r"\delta^l = {{(W^⟨{+l +1}⟩)^T . \delta^⟨{+l +1}⟩} \odot {\sigma' . (z^l)}}",
    ),
    ("∂L/∂W = ŷ − y", r"partial(L by W) = {+\hat{y} -y}"),
    ("x₁² + x₁₂", "{+x_1^2 +x_⟨12⟩}"),
    ("∑_{i=1}^n x_i", "sum<i=1..n>x_i"),
    ("dW = X^T dZ", "dW = {X^T . dZ}"),
    (
        "dZ^{[1]} = W^{[2]T} dZ^{[2]} * g^{[1]'}(Z^{[1]})",
        "dZ^[1] = {{W^[2]^T . dZ^[2]} * {g^[1]' . (Z^[1])}}",
    ),
    (r"db = \frac{1}{m} \sum dZ", "db = {{1 / m} . sum<>dZ}"),
    (r"d\hat{y}", r"d\hat{y}"),
    (r"\text{d}W", "dW"),
    (r"\mathrm{d}W", "dW"),
    (r"\mathrm{dW}", "dW"),
    (r"\partial W = x^T \partial z", r"\partial W = {x^T . \partial z}"),
    (r"\frac{\partial A}{\partial B}", "partial(A by B)"),
    (r"\dfrac{dA}{dB}", "d(A by B)"),
    (r"{\partial A \over \partial B}", "partial(A by B)"),
    (r"\partial A / \partial B", "partial(A by B)"),
    ("dA/dB", "d(A by B)"),
    (r"\frac{d}{dz}(1-z) y", "{d>(({+1 -z}) by z) . y}"),
    (r"\frac{\partial}{\partial z} \sigma(z) + 1", r"{+partial>({\sigma . (z)} by z) +1}"),
    (r"\frac{\partial {h}}{\partial{h}^2_1}", "partial(h by h^2_1)"),
    (r"\nabla_W L", "nabla(L by W)"),
    (r"\nabla_{W^{[l]}} \mathcal L", r"nabla(\mathcal{L} by W^[l])"),
    (r"\nabla_{a}C \odot \sigma'(z^L)", r"{nabla(C by a) \odot {\sigma' . (z^L)}}"),
    (r"\partial_z L", "partial(L by z)"),
    (r"\frac{\partial L(\hat y,y)}{\partial W^{[1]}}", r"partial({L . (\hat{y}, y)} by W^[1])"),
    (r"\frac{\mathrm{d} L}{\mathrm{d} w}", "d(L by w)"),
    (r"\frac{\text{d}}{\text{d}x} e^x", "d>(e^x by x)"),
    (r"\begin{bmatrix} 1 & 0 \\ 0 & 1 \\ \end{bmatrix}", "[1 & 0; 0 & 1]m"),
    (r"\begin{pmatrix} a \\ b \end{pmatrix}^T", "[a; b]m^T"),
    (r"\left[\begin{array}{cc} a & b \\ c & d \end{array}\right]", "[a & b; c & d]m"),
    ("[a, b, c]^T", "[a, b, c]^T"),
    ("(a_1, a_2)", "(a_1, a_2)"),
    (
        r"\begin{cases} 1 & \text{if } z > 0 \\ 0 & \text{otherwise} \end{cases}",
        "cases(1 if z > 0; 0)",
    ),
    (
        r"\begin{cases} 1, & z > 0, \\ 0, & z \le 0. \end{cases}",
        r"cases(1 if z > 0; 0 if z \leq 0)",
    ),
    (r"\begin{cases} x & \text{if $i = j$} \\ 0 & \text{else} \end{cases}", "cases(x if i = j; 0)"),
    ("A^{[1]T}", "A^[1]^T"),
    ("A^{[1]^T}", "A^[1]^T"),
    (r"W^{2\top}", "W^2^T"),
    (r"W^{l+1\,\top}", "W^⟨{+l +1}⟩^T"),
    (r"W^{(2)\mathsf T}", "W^(2)^T"),
    ("(W^3)^T", "(W^3)^T"),
    ("{W^l}^T", "<W^l>^T"),
    (r"\left(W^{l}\right)^{\mathsf{T}}", "(W^l)^T"),
    ("W^{Tr}", "W^T"),
    (r"X^\mathrm{T}", "X^T"),
    ("x^{T-1}", "x^⟨{+T -1}⟩"),
    ("x^t", "x^t"),
    ("x^*", "x^*"),
    ("W^{-1}", "W^-1"),
    ("W^{-T}", "W^⟨{-T}⟩"),
    (
        "h_{i,j} + h_{ij} + h_{i j} + w_{11} + w_{1,1}",
        "{+h_⟨i,j⟩ +h_⟨i,j⟩ +h_⟨i,j⟩ +w_⟨11⟩ +w_⟨1,1⟩}",
    ),
    ("w_{jk}^{(l)}", "w_⟨j,k⟩^(l)"),
    ("w_{l-1}", "w_⟨{+l -1}⟩"),
    (r"w_{i\cdot} + w_{:,j}", r"{+w_⟨i,\cdot⟩ +w_⟨:,j⟩}"),
    ("Z^{[2](i)}", "Z^[2]^(i)"),
    (r"W_{\text{out}}", "W_⟨out⟩"),
    ("W_{out}", "W_⟨out⟩"),
    ("a^{(L-1)}", "a^({+L -1})"),
    ("{h^2}^2", "<h^2>^2"),
    (r"\sum_{i=1}^{n} x_i y_i + b", "{+sum<i=1..n>{x_i . y_i} +b}"),
    (r"\sum_i x_i", "sum<i>x_i"),
    (r"\sum_{i \neq k} y_i \hat{y}_k", r"sum<i | i \neq k>{y_i . \hat{y}_k}"),
    (r"\sum_{i\neq 1}^3 y_i", r"sum<i..3 | i \neq 1>y_i"),
    (r"\sum_{i,j} w_{ij}^2", "sum<i; j>w_⟨i,j⟩^2"),
    (r"\sum^n_{i=1} x", "sum<i=1..n>x"),
    (r"\sum_{k \in S} x_k", r"sum<k | k \in S>x_k"),
    (r"\sum\limits_{i=1}^{m}\sum_{j} a \odot b", r"sum<i=1..m>sum<j>{a \odot b}"),
    (r"\sum_{i,j=1}^{n} x_{ij}", "sum<i=1..n; j=1..n>x_⟨i,j⟩"),
    (r"\sum x", "sum<>x"),
    (r"\prod_{l} W^l", "product<l>W^l"),
    ("|x|", "|x|"),
    (r"\|x\|^2_2", "||x||^2_2"),
    (r"\lVert a \rVert_2^2", "||a||_2^2"),
    (r"\left\| \hat y - y \right\|^2", r"||{+\hat{y} -y}||^2"),
    (r"\frac12 x", "{{1 / 2} . x}"),
    (r"\frac{1}{N} \sum_n L_n", "{{1 / N} . sum<n>L_n}"),
    (r"1/2 (y - \hat y)^2", r"{{1 / 2} . ({+y -\hat{y}})^2}"),
    (r"1/2m \sum_i x_i", "{{1 / {2 . m}} . sum<i>x_i}"),
    ("a/b", "{a / b}"),
    ("ab/cd", "{{a . b} / {c . d}}"),
    (r"1/N \sum_i x_i", "{{1 / N} . sum<i>x_i}"),
    (r"\mathbf{1}_{(j=1)}", "1(j = 1)"),
    (r"\mathbb{1}\{z>0\}", "1(z > 0)"),
    (r"\mathbb{1}[z \ge 0]", r"1(z \geq 0)"),
    (r"\mathbb{I}[z>0]", "1(z > 0)"),
    ("I(z > 0)", "1(z > 0)"),
    ("1_{z>0}", "1(z > 0)"),
    (r"\mathbf{1}_{\lbrace i=p\rbrace}", "1(i = p)"),
    ("[z > 0]", "1(z > 0)"),
    (r"\mathbf{1}^T x", "{!1^T . x}"),
    (r"a \odot b c", r"{a \odot {b . c}}"),
    (r"a b \circ c d", r"{{a . b} \circ {c . d}}"),
    (r"a \times b \cdot c", r"{{a \times b} \cdot c}"),
    ("a * b", "{a * b}"),
    ("a .* b", r"{a \odot b}"),
    (r"a \cdot* b", r"{a \odot b}"),
    ("a.b", r"{a \cdot b}"),
    (r"a \otimes b", r"{a \otimes b}"),
    (r"A \oslash B", r"{A \oslash B}"),
    ("-a + b - c", "{-a +b -c}"),
    (r"a \cdot -b", r"{a \cdot {-b}}"),
    ("0.5 x + 1e-3", "{+{0.5 . x} +1e-3}"),
    ("e^{-z}", "e^⟨{-z}⟩"),
    (r"\frac{e^{z_i}}{\sum_j e^{z_j}}", "{e^⟨z_i⟩ / sum<j>e^⟨z_j⟩}"),
    (r"\underbrace{a b}_{\text{delta}} c", "{{a . b} . c}"),
    (r"\underset{(1 \times 3)}{\delta^{2}} W", r"{\delta^2 . W}"),
    (r"\boxed{a = b}", "a = b"),
    (r"\color{red}{x} + \textcolor{blue}{y}", "{+x +y}"),
    (r"a = b \\ c = d", "a = b || c = d"),
    (r"\begin{aligned} a &= b \\ &= c \\ &= d \end{aligned}", "a = b || &b = c || &c = d"),
    (r"\begin{align} a &= b + \\ &\quad c \\ z &= q\end{align}", "a = {+b +c} || z = q"),
    (r"a &= b \\ &+ c \\ &= e", "a = {+b +c} || &{+b +c} = e"),
    (r"a = b, \quad c = d", "a = b || c = d"),
    (r"a = b, \quad l = 1, \dots, L", r"a = b   # l = 1, \dots, L"),
    (r"a = b \quad \forall l", r"a = b   # \forall l"),
    (r"a = b \quad \text{for all } l", "a = b   # for all l"),
    (r"a^l = b^l, \quad l < L", "a^l = b^l   # l < L   ?l < L"),
    (r"\delta_{ij} = 0, \; j \ne k", r"\delta_⟨i,j⟩ = 0   # j \ne k   ?j \neq k"),
    ("a = b, i = 1..n", "a = b   # i = 1..n"),
    (r"a = b \text{ if } i = k", "a = b   # if i = k   ?i = k"),
    (r"a = b \text{ and } c = d", "a = b || c = d"),
    (r"A = B \in \mathbb{R}^{n \times m}", r"A = B   # \in \mathbb{R}^{n \times m}"),
    (r"x \in \mathbb{R}^{n}", r"x \in \mathbb{R}^n"),
    (r"a = b \Rightarrow c = d", "a = b || c = d"),
    (r"\implies a = b", "a = b"),
    ("= b", "&b"),
    (
        r"w \leftarrow w - \alpha \frac{\partial L}{\partial w}",
        r"w \leftarrow {+w -{\alpha . partial(L by w)}}",
    ),
    (r"w := w - \eta dW", r"w := {+w -{\eta . dW}}"),
    (r"w \mathrel{+}= x", "w += x"),
    ("w += x", "w += x"),
    (r"a \stackrel{\text{def}}{=} b", "a := b"),
    (r"a \overset{(1)}{=} b", "a = b"),
    (
        r"\frac{\partial L}{\partial z} &= a && \text{chain rule} \\ &= b && \text{insert}",
        "partial(L by z) = a   # chain rule || &a = b   # insert",
    ),
    ("a &= b & c &= d", "a = b || c = d"),
    (
        r"z^l = W a + b, \quad \text{where } a = f(z)",
        "z^l = {+{W . a} +b} || a = {f . (z)}   # where",
    ),
    (r"\text{Chain rule: } a = b", "a = b   # Chain rule:"),
    (r"J = \text{loss}", "J = loss"),
    (r"\text{loss} = \frac{1}{2}(y - t)^2", "loss = {{1 / 2} . ({+y -t})^2}"),
    ("x, y", "x || y"),
    (r"x_1, x_2, \dots, x_n", "x_1 || x_2 || ... || x_n"),
    (
        r"\lim_{h \to 0} \frac{f(x+h)-f(x)}{h}",
        r"\lim_⟨h \to 0⟩@({{+{f . ({+x +h})} -{f . (x)}} / h})",
    ),
    (r"\delta^{L-l} (W^{l})^T", r"{\delta^⟨{+L -l}⟩ . (W^l)^T}"),
    (r"\tanh'(z) = 1 - \tanh^2(z)", "tanh'@(z) = {+1 -tanh^2@(z)}"),
    (r"\max(0, z)", "max@(0, z)"),
    (r"\max\{0, z\}", "max@(0, z)"),
    (r"\mathrm{softmax}(z)_i", "softmax@(z)_i"),
    (r"\forall i: a_i = b_i", r"a_i = b_i   # \forall i"),
    (r"\left(\frac{\partial L}{\partial z}\right)^\top", "(partial(L by z))^T"),
    (
        r"H = -\sum_i y_i \log \hat y_i + (1-y_i)\log(1-\hat y_i)",
        r"H = {-sum<i>{y_i . log@(\hat{y}_i)} +{({+1 -y_i}) . log@({+1 -\hat{y}_i})}}",
    ),
    (
        r"\frac{\partial J}{\partial W} = \frac{1}{m} X^T (A - Y)",
        "partial(J by W) = {{1 / m} . X^T . ({+A -Y})}",
    ),
    (r"W^{[1]} = W^{[1]} - \alpha\, dW^{[1]}", r"W^[1] = {+W^[1] -{\alpha . dW^[1]}}"),
    ("x^{(i)}_j", "x^(i)_j"),
    (r"\|W\|_F^2", "||W||_F^2"),
    (r"\operatorname{tr}(A^T B)", "tr@({A^T . B})"),
    (r"\sqrt{v} + \epsilon", r"{+root(v) +\epsilon}"),
    (r"\Delta w_{ij} = -\eta \delta_j o_i", r"{\Delta . w_⟨i,j⟩} = {-{\eta . \delta_j . o_i}}"),
    (r"E = \frac{1}{2} \sum_k (t_k - o_k)^2", "E = {{1 / 2} . sum<k>({+t_k -o_k})^2}"),
    (r"net_j = \sum_i w_{ij} o_i", "net_j = sum<i>{w_⟨i,j⟩ . o_i}"),
    (r"\hat{y} = \sigma(w^T x + b) \tag{1}", r"\hat{y} = {\sigma . ({+{w^T . x} +b})}"),
    (
        r"\begin{bmatrix} a & & \\ & b & \\ & & c\end{bmatrix}",
        "[a & blank & blank; blank & b & blank; blank & blank & c]m",
    ),
    (r"\left(\begin{matrix} a & b \end{matrix}\right)", "[a & b]m"),
    (r"diag(\sigma'(z))", r"diag@({\sigma' . (z)})"),
    (r"\mathbf{W}^T \mathbf{\delta}", r"{!W^T . !\delta}"),
    (r"\partial L/\partial z^{(l)} \cdot x", r"{partial(L by z^(l)) \cdot x}"),
    (r"\frac{dL}{dz} \frac{dz}{dw}", "{d(L by z) . d(z by w)}"),
    ("W_{i*} + W_{*j}", "{+W_⟨i,*⟩ +W_⟨*,j⟩}"),
    ("f^{-1}(x)", "{f^-1 . (x)}"),
    (r"{\partial A \over \partial B} = c", "partial(A by B) = c"),
    (r"\boxed{a = b + c_{i=1}}", "a = {+b +c_⟨i = 1⟩}"),
    (r"\boxed{\delta^l = x}, \quad l = 1", r"\delta^l = x   # l = 1   ?l = 1"),
    (r"{\color{red} a = b}", "a = b"),
    (r"a {\color{red} = b}", "a = b"),
    ("a = {b}", "a = b"),
    (r"h^l, \; l = 1, \dots, L", r"h^l   # l = 1, \dots, L"),
    (r"\exp{(z)}", "exp@(z)"),
    (r"e^{\log x}", "e^⟨log@(x)⟩"),
    ("a^2_{max}", "a^2_⟨max⟩"),
    (r"\begin{array}{rcl} a & = & b \\ & = & c \\ d &=& e \end{array}", "a = b || &b = c || d = e"),
    (r"\begin{eqnarray} a & = & b \\ c & = & d \end{eqnarray}", "a = b || c = d"),
    (
        r"\left\{ \begin{aligned} z &= Wx \\ a &= \sigma(z) \end{aligned} \right.",
        r"z = {W . x} || a = {\sigma . (z)}",
    ),
    (r"\begin{cases} z = W x \\ a = f(z) \end{cases}", "z = {W . x} || a = {f . (z)}"),
    (r"\begin{equation}\begin{split} a &= b \\ &= c \end{split}\end{equation}", "a = b || &b = c"),
    (r"\begin{gather} a = b \\ c = d \end{gather}", "a = b || c = d"),
    (r"\begin{align} a &= b \\ \intertext{and so} c &= d \end{align}", "a = b || c = d   # and so"),
    (r"\begin{alignat}{2} a &= b &\quad c &= d \end{alignat}", "a = b || c = d"),
    ("𝐖 x + 𝑏", "{+{!W . x} +b}"),
    ("ŷ", r"\hat{y}"),
    (r"\nabla_\theta J(\theta)", r"nabla({J . (\theta)} by \theta)"),
    (r"\hat y ^ {(i)}", r"\hat{y}^(i)"),
    (r"\bar{\mathbf{x}}", r"!\bar{x}"),
    (r"\dot{x}", r"\dot{x}"),
    (r"a \; b", "{a . b}"),
    (
        r"\frac{\partial C}{\partial w^l_{jk}} = a^{l-1}_k \delta^l_j \tag{BP4}",
        r"partial(C by w^l_⟨j,k⟩) = {a^⟨{+l -1}⟩_k . \delta^l_j}",
    ),
    (
        r"\delta^l = ((w^{l+1})^T \delta^{l+1}) \odot \sigma'(z^l)",
        r"\delta^l = {({(w^⟨{+l +1}⟩)^T . \delta^⟨{+l +1}⟩}) \odot {\sigma' . (z^l)}}",
    ),
    (
        r"\begin{eqnarray} \delta^L = \nabla_a C \odot \sigma'(z^L). \tag{BP1}\end{eqnarray}",
        r"\delta^L = {nabla(C by a) \odot {\sigma' . (z^L)}}",
    ),
    (
        "dz^{[1]} = W^{[2]T}dz^{[2]} * g^{[1]}{'}(z^{[1]})",
        "dz^[1] = {{W^[2]^T . dz^[2]} * {g^[1]' . (z^[1])}}",
    ),
    ("g'^{[1]}(z^{[1]})", "{g'^[1] . (z^[1])}"),
    (
        r"\frac{\partial y_i}{\partial z_j} = y_i (\delta_{ij} - y_j)",
        r"partial(y_i by z_j) = {y_i . ({+\delta_⟨i,j⟩ -y_j})}",
    ),
    ("y_i(1_{i=j} - y_j)", "{y_i . ({+1(i = j) -y_j})}"),
    (
        r"\frac{\partial S_i}{\partial z_j} = S_i (\mathbb{1}\{i=j\} - S_j)",
        "partial(S_i by z_j) = {S_i . ({+1(i = j) -S_j})}",
    ),
    (r"W \leftarrow W - \eta \nabla_W J", r"W \leftarrow {+W -{\eta . nabla(J by W)}}"),
    (r"\text{ReLU}(z) = \max(0, z)", "ReLU@(z) = max@(0, z)"),
    (r"\sigma(z) = \frac{1}{1+e^{-z}}", r"{\sigma . (z)} = {1 / {+1 +e^⟨{-z}⟩}}"),
    (r"\sigma(z) = 1/(1+e^{-z})", r"{\sigma . (z)} = {1 / ({+1 +e^⟨{-z}⟩})}"),
    (r"\sigma(z) = 1/(1+\exp(-z))", r"{\sigma . (z)} = {1 / ({+1 +exp@({-z})})}"),
    (r"\frac{d\sigma}{dz} = \sigma(1-\sigma)", r"d(\sigma by z) = {\sigma . ({+1 -\sigma})}"),
    (r"\frac{d \sigma(z)}{d z}", r"d({\sigma . (z)} by z)"),
    (r"\frac{d}{d z} \left[ \frac{1}{1+e^{-z}} \right]", "d>([{1 / {+1 +e^⟨{-z}⟩}}] by z)"),
    (r"z = w^{\top} x + b,", "z = {+{w^T . x} +b}"),
    ("z = wx + b.", "z = {+{w . x} +b}"),
    (
        r"Z^{[l]} = W^{[l]} A^{[l-1]} + b^{[l]}, \qquad A^{[l]} = g^{[l]}(Z^{[l]})",
        "Z^[l] = {+{W^[l] . A^[{+l -1}]} +b^[l]} || A^[l] = {g^[l] . (Z^[l])}",
    ),
    (
        r"db^{[l]} = \frac{1}{m} \sum_{i = 1}^{m} dZ^{[l](i)}",
        "db^[l] = {{1 / m} . sum<i=1..m>dZ^[l]^(i)}",
    ),
    (r"\dfrac{\partial L}{\partial z}\Big(1-z\Big)", "{partial(L by z) . ({+1 -z})}"),
    (
        r"\frac{\partial L}{\partial W} \in \mathbb{R}^{m\times n}",
        r"partial(L by W) \in \mathbb{R}^⟨{m \times n}⟩",
    ),
    (r"x \cdot y \cdot z", r"{x \cdot y \cdot z}"),
    ("X^T(A-Y)/m", "{{X^T . ({+A -Y})} / m}"),
    (r"\mathbf{J}_{\mathbf{f}}(\mathbf{x})", "{!J_⟨!f⟩ . (!x)}"),
    (r"\vec{\delta}^{\,l}", r"!\delta^l"),
    (r"(\mathbf{W}^{l})^\intercal", "(!W^l)^T"),
    (r"\boldsymbol{\hat{\mathbf y}}", r"!\hat{y}"),
    ("W_1^{(2)}x_1 + W_2^{(2)}x_2", "{+{W_1^(2) . x_1} +{W_2^(2) . x_2}}"),
    (
        r"\frac{\partial}{\partial w}\frac{1}{2}(y-t)^2 = (y-t)x",
        "partial>({{1 / 2} . ({+y -t})^2} by w) = {({+y -t}) . x}",
    ),
    (r"\sum_{i=1}^n\left(y_i-\hat{y}_i\right)^2", r"sum<i=1..n>({+y_i -\hat{y}_i})^2"),
    (r"\sum_{\substack{i=1 \\ i \neq k}}^n x_i", r"sum<i=1..n | i \neq k>x_i"),
    (r"\sum_{1 \le i \le n} x_i", "sum<i=1..n>x_i"),
    (r"\sum_{ij} a_{ij}", "sum<i; j>a_⟨i,j⟩"),
    (r"\log\frac{a}{b}", "log@({a / b})"),
    (r"\log\sum_j e^{z_j}", "log@(sum<j>e^⟨z_j⟩)"),
    (r"-\log p_{y}", "{-log@(p_y)}"),
    (r"- \hat{y}^T \log \hat{y}", r"{-{\hat{y}^T . log@(\hat{y})}}"),
    (r"\hat{y}\log y(1-y)", r"{\hat{y} . log@(y) . ({+1 -y})}"),
    (r"a + \cdots + b", "{+a +... +b}"),
    (r"(1, \dots, n)", "(1, ..., n)"),
    (
        r"W = \begin{pmatrix} w_{11} & w_{12} \\ w_{21} & w_{22}\end{pmatrix}",
        "W = [w_⟨11⟩ & w_⟨12⟩; w_⟨21⟩ & w_⟨22⟩]m",
    ),
    (r"\mathrm{d}L = \mathrm{tr}(G^T \mathrm{d}W)", "dL = tr@({G^T . dW})"),
    (r"\begin{vmatrix} a & b \end{vmatrix}", "[a & b]m"),
    (r"\phantom{=} a + b", "{+a +b}"),
    (r"a = b \phantom{+ c} + d", "a = {+b +d}"),
    ("a = b % comment", "a = b"),
    (r"a \neq b", r"a \neq b"),
    ("z^{1:T}", "z^⟨1,:,T⟩"),
    (
        r"\theta := \theta - \alpha \nabla_\theta J(\theta)",
        r"\theta := {+\theta -{\alpha . nabla({J . (\theta)} by \theta)}}",
    ),
    (r"p_i = \frac{e^{a_i}}{\sum_{k=1}^N e^a_k}", "p_i = {e^⟨a_i⟩ / sum<k=1..N>e^a_k}"),
    ("o_j(1-o_j)", "{o_j . ({+1 -o_j})}"),
    (r"\frac{\partial{L}}{\partial{W}}", "partial(L by W)"),
    (r"\frac {\partial L} {\partial W}", "partial(L by W)"),
    (r"L(\theta; x)", r"{L . (\theta, x)}"),
    (r"y \in \{0, 1\}", r"y \in {0, 1}"),
    (r"i \in \{1, \dots, n\}", r"i \in {1, ..., n}"),
    (r"\delta^{(3)} = a^{(3)} - y", r"\delta^(3) = {+a^(3) -y}"),
    (
        r"\delta^{(2)} = \Theta^{(2)T} \delta^{(3)} .* g'(z^{(2)})",
        r"\delta^(2) = {{\Theta^(2)^T . \delta^(3)} \odot {g' . (z^(2))}}",
    ),
    (
        r"\Delta^{(l)} := \Delta^{(l)} + \delta^{(l+1)} (a^{(l)})^T",
        r"\Delta^(l) := {+\Delta^(l) +{\delta^({+l +1}) . (a^(l))^T}}",
    ),
    (
        r"\underbrace{\frac{\partial L}{\partial a}}_{\delta} \cdot \overbrace{f'(z)}^{g}",
        r"{partial(L by a) \cdot {f' . (z)}}",
    ),
    (r"\mathbf X^\top \mathbf X", "{!X^T . !X}"),
    (r"{\bf W}^T {\bf x}", "{!W^T . !x}"),
    (r"{\rm softmax}(z)", "softmax@(z)"),
    (r"\ell(y, \hat y)", r"{\ell . (y, \hat{y})}"),
    (r"\frac{\partial\ell}{\partial z}", r"partial(\ell by z)"),
    (r"\partial_{W_{ij}} L", "partial(L by W_⟨i,j⟩)"),
    (r"\begin{bmatrix} x_1 \\ \vdots \\ x_n \end{bmatrix}", "[x_1; ...; x_n]m"),
    (r"\hat{Y} = \text{softmax}(Z^{(2)})", r"\hat{Y} = softmax@(Z^(2))"),
    ("a^{(i)[l]}", "a^(i)^[l]"),
    (r"a = b \quad (1)", "a = b   # (1)"),
    (r"a = b \qquad (i = 1, \dots, n)", r"a = b   # (i = 1, \dots, n)"),
    (r"a = b \quad \text{(chain rule)}", "a = b   # (chain rule)"),
    (r"a = b, \text{ where } c \text{ is the cost}", "a = b   # where c is the cost"),
    (r"\text{MSE} = \frac{1}{n}\sum (y-\hat y)^2", r"MSE = {{1 / n} . sum<>({+y -\hat{y}})^2}"),
    (r"\frac{\partial \text{MSE}}{\partial \hat{y}}", r"partial(MSE by \hat{y})"),
    (r"\frac{\partial \text{loss}}{\partial W}", "partial(loss by W)"),
    (r"2(\hat y - y)", r"{2 . ({+\hat{y} -y})}"),
    (r"\frac{2}{n}(\hat y - y)", r"{{2 / n} . ({+\hat{y} -y})}"),
    (r"x \to y", r"x \to y"),
    (r"\therefore a = b", "a = b"),
    (r"a = b = c \implies d = e", "a = b = c || d = e"),
    (r"\tilde{x}_i \sim p", r"\tilde{x}_i \sim p"),
)

UNREAD = (
    (
        "x^12",
        3,
        "a number right behind a script or letter; write `x_{12}`, `x^{12}` or `12x`",
    ),
    (
        r"\partial \mathbf{H(y, \hat{y}})",
        0,
        "a differential of something that is no letter is not read",
    ),
    (r"\frac{\partial^2 L}{\partial w^2}", 6, "second derivatives are not read"),
    (
        r"\begin{bmatrix} 1 & 2 \\ 3 \end{bmatrix}",
        25,
        "row 2 of the matrix has 1 entries, the first row has 2",
    ),
    ("n!", 1, "factorials are not read"),
    (r"\infty", 0, "infinity is not read"),
    (r"\mathbb{E}[x]", 0, "expectations are not read"),
    (
        r"\left. f \right|_{x=1}",
        0,
        r"a value inserted after a bar (`\left. ... \right|`) is not read",
    ),
    (r"\Big|_{x}", 4, "a value inserted after a bar is not read"),
    (r"\sigmod(z)", 0, r"unknown command `\sigmod`; did you mean `\sigmoid`?"),
    (r"\foo x", 0, r"unknown command `\foo`"),
    ("{a+b}c", 5, "braces do not show; write parentheses around the sum"),
    (r"\text{if } x", 0, "only words: there is no formula to read"),
    ("a = 0,5", 5, "a comma between digits; write 0.5 for a half"),
    ("a^{<t>}", 3, "found `<` where an argument is expected"),
    ("p(y|x)", 3, "the bars of this norm do not close"),
    (r"a \pm b", 2, r"`\pm` says two things at once; write two equations"),
    ("a =", 3, "the formula ends where a letter, a number or a bracket is expected"),
    ("a = = b", 4, "found `=` where a letter, a number or a bracket is expected"),
    ("(a", 2, "the formula ends where `)` is expected"),
    ("a)", 1, "found `)` where a sign or the end of the formula is expected"),
    ("}", 0, "this `}` closes nothing"),
    (r"\frac{a}{", 8, "this `{` is never closed"),
    (r"\frac{1}{m}\, \mathrm{np.sum}(dZ)", 14, "program text is not read"),
    (r"dL = \langle G, dW\rangle", 5, "angle brackets are not read"),
    (
        r"\frac{\partial L}{\partial W}\bigg|_{W=W_0}",
        34,
        "a value inserted after a bar is not read",
    ),
    (r"\nabla^2 f", 0, "second derivatives are not read"),
    (r"f : X \to Y", 2, "what a colon says is not read"),
)


@pytest.mark.parametrize(("latex", "tree"), READ)
def test_formula_is_read(latex: str, tree: str) -> None:
    assert shown(latex) == tree


@pytest.mark.parametrize(("latex", "at", "reason"), UNREAD)
def test_what_is_not_understood_says_where_and_why(latex: str, at: int, reason: str) -> None:
    (found,) = read(latex)
    assert isinstance(found, Unread)
    assert (found.at, found.reason) == (at, reason)


# Real texts --------------------------------------------------------------------------------------


def seeds() -> list[str]:
    return [entry["seed"] for entry in tomllib.loads(SEED.read_text())["formula"]]


def formulas_of(markdown: str) -> Iterator[str]:
    """Displays and inline formulas outside code."""
    prose = re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)
    yield from re.findall(r"\$\$(.*?)\$\$", prose, flags=re.DOTALL)
    inline = re.sub(r"\$\$.*?\$\$", "", prose, flags=re.DOTALL)
    yield from re.findall(r"\$([^$\n]+)\$", re.sub(r"`[^`\n]*`", "", inline))


def unread_in(formulas: Iterator[str] | list[str]) -> list[tuple[str, str]]:
    return [
        (latex, found.reason)
        for latex in formulas
        for found in read(latex)
        if isinstance(found, Unread)
    ]


def test_every_formula_of_the_four_layer_text_is_one_statement() -> None:
    found = [read(latex) for latex in seeds()]
    assert len(found) == 107
    assert all(len(one) == 1 and isinstance(one[0], Statement) for one in found)


@pytest.mark.parametrize("path", sorted((ROOT / "output").glob("*.md")), ids=lambda p: p.name)
def test_every_formula_of_our_documents_is_read(path: Path) -> None:
    formulas = list(formulas_of(path.read_text()))
    assert len(formulas) > 100
    assert unread_in(formulas) == []


def records(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("index", "matrix", "before", "after") and isinstance(inner, str):
                yield inner
            else:
                yield from records(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from records(inner)


@pytest.mark.parametrize("path", sorted((ROOT / "output").glob("*.json")), ids=lambda p: p.name)
def test_every_formula_of_our_records_is_read_but_derivatives_with_something_held_fixed(
    path: Path,
) -> None:
    unread = unread_in(list(records(json.loads(path.read_text()))))
    assert [latex for latex, _ in unread if r"\left. " not in latex] == []


@pytest.mark.slow
@pytest.mark.parametrize("samples", SAMPLE_LAYOUTS)
@pytest.mark.parametrize("layer", LAYER_MARKS)
def test_every_notation_is_read(samples: Any, layer: Any) -> None:
    net = api.load("two-three-one")
    net = replace(net, notation=replace(net.notation, samples=samples, layer=layer))
    formulas = list(formulas_of(render(api.derive(net).document(), "md")))
    assert len(formulas) > 100
    assert unread_in(formulas) == []


# Places ------------------------------------------------------------------------------------------


def test_positions_point_into_the_source() -> None:
    latex = r"\mathbf{z}^3 = \mathbf{h}^2W^3+\mathbf{b}^3"
    (found,) = read(latex)
    assert isinstance(found, Statement)
    spans = [latex[side.span.start : side.span.end] for side in found.sides]
    assert spans == [r"\mathbf{z}^3", r"\mathbf{h}^2W^3+\mathbf{b}^3"]
    total = found.sides[1]
    assert isinstance(total, Sum)
    assert [latex[t.span.start : t.span.end] for t in total.terms] == [
        r"\mathbf{h}^2W^3",
        r"\mathbf{b}^3",
    ]


def test_spans_of_children_lie_within_their_parent_where_no_macro_was_used() -> None:
    for latex in seeds():
        for found in read(latex):
            assert isinstance(found, Statement)
            for side in found.sides:
                inside = [(n.span.start, n.span.end) for n in walk(side)]
                assert min(inside)[0] >= side.span.start
                assert max(end for _, end in inside) <= side.span.end


def test_a_row_without_its_first_side_takes_the_last_side_above() -> None:
    latex = r"\begin{aligned} a &= b \\ &= c \end{aligned}"
    first, second = read(latex)
    assert isinstance(first, Statement)
    assert isinstance(second, Statement)
    assert second.continues
    assert second.sides[0] is first.sides[-1]
    assert latex[second.span.start : second.span.end] == "= c"


def test_a_product_is_no_value_of_an_index() -> None:
    found = read(r"h = x, \quad s = h W_2 + b_2, \quad l = 1, \dots, n_l")
    assert [len(s.sides) for s in found if isinstance(s, Statement)] == [2, 2]
    assert [s.remark for s in found if isinstance(s, Statement)] == ["", r"l = 1, \dots, n_l"]


def test_a_leading_sign_without_anything_above_leaves_out_the_first_side() -> None:
    (found,) = read("= b = c")
    assert isinstance(found, Statement)
    assert (shown("= b = c"), found.continues) == ("&b = c", True)


def test_one_row_that_is_not_understood_does_not_lose_the_others() -> None:
    latex = r"a &= b \\ x &= \foo \\ &= c \\ &= d"
    assert shown(latex) == r"a = b || unread at 15: unknown command `\foo` || &c || &c = d"


# Macros ------------------------------------------------------------------------------------------

MACROS = collect(
    [
        r"\newcommand{\pd}[2]{\frac{\partial #1}{\partial #2}} \renewcommand{\vec}[1]{\mathbf{#1}}",
        r"\def\W#1{W^{[#1]}} \let\d\partial",
        r"\DeclareMathOperator{\softplus}{softplus}\DeclareMathOperator*{\best}{arg\,max}",
        r"\newcommand{\again}{\again x} \newcommand\sm[1][z]{\text{softmax}(#1)}",
        r"\def\strange(#1){#1} \newcommand{\name}[1]{\text{#1}} \newcommand{\R}{\mathbb{R}}",
        r"\let\oldbar\bar \renewcommand{\bar}[1]{\oldbar{#1}_v}",
        r"\def\a{\b\b}\def\b{\c\c}\def\c{\e\e}\def\e{\f\f}\def\f{\g\g}\def\g{" + "x" * 999 + "}",
    ]
)


@pytest.mark.parametrize(
    ("latex", "tree"),
    [
        (r"\pd{L}{\W{2}} = \vec{x}", r"partial(L by W^[2]) = !x"),
        (r"\softplus(z)", "softplus@(z)"),
        (r"\best_k p_k", "argmax_k@(p_k)"),
        (r"\frac{\d L}{\d W}", "partial(L by W)"),
        (r"\sm = \sm[x]", "softmax@(z) = softmax@(x)"),
        (r"\name{loss} = x", "loss = x"),
        (r"W \in \R^{n}", r"W \in \mathbb{R}^n"),
        (r"\newcommand{\q}{z} \q + 1 = \q", "{+z +1} = z"),
        (r"\pd L {W^2} x", "{partial(L by W^2) . x}"),
        (r"\bar{x}", r"\bar{x}_v"),
        (r"\pd{L}", r"unread at 0: the macro `\pd` lacks an argument"),
        (r"a = \again", r"unread at 4: the macro `\again` calls itself without end"),
        (
            r"\a",
            "unread at 0: the macros of this formula expand to more than 20000 words",
        ),
        (
            r"\strange(x)",
            r"unread at 0: `\strange` is defined with text between its parameters, "
            "which is not read",
        ),
    ],
)
def test_macros_are_expanded(latex: str, tree: str) -> None:
    assert " || ".join(map(show, read(latex, MACROS))) == tree


BOXES = (
    r"\newcommand{\f}[1]{\renewcommand{\arraystretch}{2}\sbox{\b}{$\displaystyle #1$}\usebox{\b}}",
    r"\newcommand\f[2]{\colorbox{red}{$#1 = #2$}}",
    r"\def\f#1{\fbox{$#1$}}",
)


@pytest.mark.parametrize("definition", BOXES)
def test_a_command_that_sets_a_formula_in_a_box_is_that_formula(definition: str) -> None:
    latex = r"\f{a}{b}" if "#2" in definition else r"\f{a = b}"
    assert show(read(latex, collect([definition]))[0]) == show(read("a = b")[0])


@pytest.mark.parametrize("body", [r"\fbox{$a$} + #1", r"\fbox{$#1$}\fbox{$#2$}"])
def test_a_box_beside_which_more_is_shown_is_not_read(body: str) -> None:
    macros = collect([rf"\newcommand{{\f}}[2]{{{body}}}"])
    assert isinstance(read(r"\f{a = b}{c}", macros)[0], Unread)


def test_a_node_of_a_macro_stands_at_its_call() -> None:
    latex = r"x = \pd{L}{W^2} + 1"
    (found,) = read(latex, MACROS)
    assert isinstance(found, Statement)
    total = found.sides[1]
    assert isinstance(total, Sum)
    derivative = total.terms[0]
    assert latex[derivative.span.start : derivative.span.end] == r"\pd{L}{W^2}"


def test_what_is_provided_does_not_replace_what_is_known() -> None:
    macros = collect([r"\newcommand{\k}{x}", r"\providecommand{\k}{y}"])
    assert " || ".join(map(show, read(r"\k", macros))) == "x"


# Anything at all ---------------------------------------------------------------------------------

HOSTILE = {
    "braces": "{" * 19_000,
    "nested braces": "{" * 9_000 + "x" + "}" * 9_000,
    "parentheses": "(" * 19_000,
    "sums": r"\sum" * 19_000,
    "terms": "x+" * 9_000 + "x",
    "rows that go on": r"\\+x" * 6_000,
    "rows": r"\\x=y" * 4_900,
    "remarks": "x=y" + ",i<n" * 4_900,
    "accents": r"\hat" * 15_000,
    "scripts": "x^{" * 6_000 + "y" + "}" * 6_000,
    "words": r"\text{" * 15_000,
    "environments": r"\begin{array}{" * 6_000,
    "indices": r"\sum_{" + "i," * 9_000 + "i}x",
    "digits": "9" * 99_999,
    "power of ten": "1e99999999",
    "labels": r"\label{" * 14_000,
    "bars": "|" * 19_000,
    "blanks": " " * 99_999,
    "a long line": "x" * 5_000_000,
    "over": r"{a\over b" * 4_000 + "}" * 4_000,
    "boxes": r"\boxed{a=" * 3_000 + "}" * 3_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("latex", HOSTILE.values(), ids=HOSTILE)
def test_nothing_takes_long(latex: str) -> None:
    start = time.perf_counter()
    assert read(latex)
    assert time.perf_counter() - start < 5


def test_reading_definitions_takes_no_long() -> None:
    start = time.perf_counter()
    collect([r"\newcommand{" * 20_000, r"\def\x" * 20_000, "\\newcommand\\x{" + "{" * 100_000])
    assert time.perf_counter() - start < 5


KNOWN = sorted({token.text for latex, _ in READ for token in tokenize(latex)})
WORD = st.sampled_from([*KNOWN, r"\pd", r"\again", "#1", "\u0302", "²", "\x00"])


def check(latex: str) -> None:
    found = read(latex, MACROS)
    assert found
    for one in found:
        assert 0 <= one.span.start <= one.span.end <= len(latex)
        if isinstance(one, Unread):
            assert 0 <= one.at <= len(latex)
            assert one.reason


@given(st.lists(WORD, max_size=30), st.sampled_from(("", " ")))
@settings(max_examples=300, deadline=1000)
def test_any_words_are_read_or_refused(words: list[str], between: str) -> None:
    check(between.join(words))


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=1000)
def test_any_text_is_read_or_refused(latex: str) -> None:
    check(latex)


@given(
    st.sampled_from([latex for latex, _ in READ]),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 5), WORD), min_size=1, max_size=3),
)
@settings(max_examples=300, deadline=1000)
def test_any_slip_is_read_or_refused(latex: str, slips: list[tuple[int, int, str]]) -> None:
    for place, length, word in slips:
        at = place % (len(latex) + 1)
        latex = latex[:at] + word + latex[at + length :]
    check(latex)

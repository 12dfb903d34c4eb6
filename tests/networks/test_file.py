"""Network files: what is read, and every fault by its line, in pairs of right and wrong."""

from __future__ import annotations

import errno
import time
import tomllib
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop.errors import Fault, SpecError
from symbackprop.networks.file import (
    LARGEST_FILE,
    Specification,
    example_names,
    example_text,
    load,
    loads,
)
from symbackprop.networks.layers.architecture import Layer
from symbackprop.networks.toml_positions import positions

CLASSIFIER = """\
name = "net"
input = 2
loss = "cross_entropy"
samples = 3
[[layers]]
type = "dense"
units = "hidden"
activation = "tanh"
[[layers]]
type = "dense"
units = 4
activation = "softmax"
bias = false
"""


def faults(text: str) -> tuple[Fault, ...]:
    with pytest.raises(SpecError) as caught:
        loads(text)
    assert str(caught.value)
    return caught.value.faults


def only_fault(text: str) -> Fault:
    found = faults(text)
    assert len(found) == 1, found
    return found[0]


def changed(old: str, new: str) -> str:
    assert old in CLASSIFIER
    return CLASSIFIER.replace(old, new, 1)


# What is read


def test_file_becomes_an_architecture() -> None:
    spec = loads(CLASSIFIER, "net.toml")
    assert spec.architecture.layers == (
        Layer("hidden", "tanh", True),
        Layer(4, "softmax", False),
    )
    assert spec.architecture.widths == (2, "hidden", 4)
    assert (spec.architecture.loss, spec.architecture.samples) == ("cross_entropy", 3)
    assert (spec.architecture.reduction, spec.architecture.labels) == ("mean", "one_hot")
    assert (spec.text, spec.source) == (CLASSIFIER, "net.toml")


def test_name_defaults_to_the_file_name() -> None:
    text = changed('name = "net"\n', "")
    assert loads(text, "somewhere/my-net.toml").architecture.name == "my-net"
    assert loads(text).architecture.name == "network"


def test_windows_line_ends_and_byte_order_mark_are_read() -> None:
    assert loads("\ufeff" + CLASSIFIER.replace("\n", "\r\n")).architecture.name == "net"


def test_notation_is_read() -> None:
    notation = loads(
        CLASSIFIER
        + "[notation]\nsamples = 'columns'\nlayer = '^[l]'\ndelta = 'from_output'\n"
        + "symbols = { h = 'a', L = '\\mathcal L' }"
    ).notation
    assert (notation.samples, notation.layer, notation.delta) == ("columns", "^[l]", "from_output")
    assert notation.symbols == (("h", "a"), ("L", r"\mathcal{L}"))


def test_values_fix_symbolic_sizes_and_the_number_of_samples() -> None:
    spec = loads(
        changed("samples = 3\n", "")
        + "[values]\nx = [[1, 2], [3, 4.5]]\nb1 = [1, 2, 3]\nW2 = "
        + "[[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]]"
    )
    assert spec.values["x"] == ((1.0, 2.0), (3.0, 4.5))
    assert spec.values["b1"] == (1.0, 2.0, 3.0)
    assert spec.architecture.samples == 2


@pytest.mark.parametrize(
    ("labels", "y"),
    [
        ("one_hot", "[[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]"),
        ("distribution", "[[0.1, 0.2, 0.3, 0.4], [1, 0, 0, 0], [0.5, 0.5, 0, 0]]"),
        ("integer", "[0, 3, 1]"),
        ("any", "[[2, 2, 2, 2], [-1, 0, 0, 0], [0, 0, 0, 0]]"),
    ],
)
def test_labels_take_values_of_their_kind(labels: str, y: str) -> None:
    text = changed("samples = 3\n", f'labels = "{labels}"\n') + f"[values]\ny = {y}"
    assert loads(text).architecture.samples == 3


# The shipped examples


def test_examples_are_named_simplest_first() -> None:
    assert example_names() == ("line", "linear-chain", "two-three-one", "four-layer")


@pytest.mark.parametrize("name", example_names())
def test_example_carries_its_own_name(name: str) -> None:
    spec = load(name)
    assert spec.architecture.name == name
    assert spec.text == example_text(name)


def test_examples_have_the_sizes_of_their_names() -> None:
    assert load("line").architecture.widths == (1, 1)
    assert load("linear-chain").architecture.widths == (1, 1, 2, 1)
    assert load("two-three-one").architecture.widths == (2, 3, 1)
    assert load("four-layer").architecture.widths == (2, 2, 4, 3)


def test_two_three_one_has_values_for_everything() -> None:
    assert set(load("two-three-one").values) == {"x", "y", "W1", "W2"}


# Faults, each at its line


@pytest.mark.parametrize(
    ("old", "new", "line", "where", "text"),
    [
        ("input = 2", "input = 0", 2, "input", "found 0"),
        ("input = 2", "input = -3", 2, "input", "found -3"),
        ("input = 2", "input = 2.5", 2, "input", "found 2.5"),
        ("input = 2", "input = 2.0", 2, "input", "found 2.0"),
        ("input = 2", "input = true", 2, "input", "found true"),
        ("input = 2", "input = [2]", 2, "input", "found a list of 1"),
        ("input = 2", 'input = "2"', 2, "input", "without quotes"),
        ("input = 2", 'input = "W1"', 2, "input", "no tensor"),
        ("input = 2", 'input = "N"', 2, "input", "no tensor"),
        ("input = 2", 'input = "lambda"', 2, "input", "keyword"),
        ("input = 2", 'input = "__import__"', 2, "input", "a letter"),
        ("input = 2", "input = 'd\\input'", 2, "input", "a letter"),
        ("input = 2", "input = 1979-05-27", 2, "input", "found a date"),
        ("input = 2", "input = 0x" + "f" * 5000, 2, "input", "more than 18 digits"),
        ("input = 2\n", "", 1, "input", "found nothing"),
        ('"net"', '"a b"', 1, "name", '"a b"'),
        ('"net"', "'../net'", 1, "name", "letters, digits"),
        ('"net"', '"a\\u001b[2J"', 1, "name", "\\x1b[2J"),
        ('"net"', "3", 1, "name", "found 3"),
        ('"cross_entropy"', '"crossentropy"', 3, "loss", "did you mean `cross_entropy`?"),
        ('"cross_entropy"', '"binary_cross_entropy"', 12, "layer 2: activation", '"sigmoid"'),
        ("samples = 3", "samples = true", 4, "samples", "found true"),
        ("samples = 3", "sampels = 3", 4, "sampels", "did you mean `samples`?"),
        ("samples = 3", "half = true", 4, "half", "no factor 1/2"),
        ("samples = 3", 'reduction = "average"', 4, "reduction", "mean, sum, mean_elements"),
        ("samples = 3", 'labels = "onehot"', 4, "labels", "did you mean `one_hot`?"),
        ('units = "hidden"', "units = 1e3", 7, "layer 1: units", "found 1000.0"),
        ('units = "hidden"', "units = 10000000000", 7, "layer 1: units", "1000000000"),
        ('units = "hidden"\n', "", 5, "layer 1: units", "found nothing"),
        ('type = "dense"\n', "", 5, "layer 1: type", '"dense"'),
        ('"dense"', '"Dense"', 6, "layer 1: type", "did you mean `dense`?"),
        ('"tanh"', '"tahn"', 8, "layer 1: activation", "did you mean `tanh`?"),
        ('"softmax"', '"sofmax"', 12, "layer 2: activation", "did you mean `softmax`?"),
        ('"softmax"', '"sigmoid"', 12, "layer 2: activation", "use binary_cross_entropy"),
        ('activation = "softmax"\n', "", 9, "layer 2: activation", '"identity"'),
        ("activation =", "activaton =", 8, "layer 1: activaton", "did you mean `activation`?"),
        ("bias = false", "bias = 0", 13, "layer 2: bias", "true or false"),
        ("bias = false", "reduction = 'sum'", 13, "layer 2: reduction", "above the first"),
        ("bias = false", "[extra]\na = 1", 13, "extra", "an unknown key"),
        ("bias = false", "[notation]\nlayer = '^{l}'", 14, "notation: layer", "^(l)"),
        ("bias = false", "[notation]\nsymbols = 3", 14, "notation: symbols", "a table"),
        (
            "bias = false",
            "[notation.symbols]\nh = '\\input{x}'",
            14,
            "notation: symbols: h",
            "`\\input`",
        ),
        (
            "bias = false",
            '[notation.symbols]\nb = "\\beta"',
            14,
            "notation: symbols: b",
            "single quotes",
        ),
        ("bias = false", "[notation.symbols]\nH = 'a'", 14, "notation: symbols: H", "letters"),
        ("bias = false", "[notation.symbols]\nh = 'W'", 14, "notation: symbols: h", "`W` lacks"),
        ("bias = false", "[notation.symbols]\nL = 'hidden'", 14, "notation: symbols: L", "size's"),
        ("bias = false", "[values]\nx = [[1, 2]]", 14, "values: x", "expected 3"),
        ("bias = false", "[values]\nx = 3", 14, "values: x", "shape (N, 2)"),
        (
            "bias = false",
            "[values]\nx = [\n[1, 2],\n[1],\n[1, 2],\n]",
            16,
            "values: x[2]",
            "expected 2",
        ),
        ("bias = false", "[values]\nb1 = [1, '2']", 14, "values: b1[2]", "finite number"),
        ("bias = false", "[values]\nb1 = [nan]", 14, "values: b1[1]", "finite number"),
        ("bias = false", "[values]\nb1 = [true]", 14, "values: b1[1]", "finite number"),
        ("bias = false", "[values]\nb1 = []", 14, "values: b1", "at least one"),
        ("bias = false", "[values]\nW3 = [[1]]", 14, "values: W3", "an unknown key"),
        (
            "bias = false",
            "[values]\ny = [[1,0,0,0],[0,1,1,0],[0,0,1,0]]",
            14,
            "values: y[2]",
            "one 1",
        ),
    ],
)
def test_fault_names_line_place_and_remedy(
    old: str, new: str, line: int, where: str, text: str
) -> None:
    fault = only_fault(changed(old, new))
    assert (fault.line, fault.where) == (line, where)
    assert text in str(fault)


def test_all_faults_are_reported_at_once_in_order_of_lines() -> None:
    text = CLASSIFIER.replace("input = 2", "input = 0").replace('"tanh"', '"tnh"')
    text = text.replace("bias = false", "bais = false") + "[notation]\ndelta = 'by_layr'\n"
    assert [fault.line for fault in faults(text)] == [2, 8, 13, 15]


def test_a_faulty_size_causes_no_fault_elsewhere() -> None:
    fault = only_fault(changed("input = 2", "input = 0") + "[values]\nx = [[1],[2],[3]]")
    assert fault.where == "input"


def test_labels_belong_to_cross_entropy_alone() -> None:
    text = changed('"cross_entropy"', '"squared_error"\nlabels = "one_hot"')
    assert only_fault(text).where == "labels"
    loads(changed("samples = 3", 'labels = "one_hot"'))


def test_half_belongs_to_squared_error_alone() -> None:
    loads(changed('"cross_entropy"', '"squared_error"\nhalf = true'))
    assert only_fault(changed('"cross_entropy"', '"none"\nhalf = true')).where == "half"


def test_values_of_one_symbolic_size_agree() -> None:
    text = CLASSIFIER + "[values]\nb1 = [1, 2]\nW1 = [[1, 2], [3, 4]]\n"
    loads(text)
    fault = only_fault(text.replace("b1 = [1, 2]", "b1 = [1, 2, 3]"))
    assert "hidden is" in str(fault)


def test_integer_labels_name_an_existing_class() -> None:
    text = changed("samples = 3", 'labels = "integer"') + "[values]\ny = [0, 3]\n"
    loads(text)
    assert only_fault(text.replace("[0, 3]", "[0, 4]")).where == "values: y[2]"
    assert only_fault(text.replace("[0, 3]", "[0, 1.5]")).where == "values: y[2]"


def test_bias_that_is_switched_off_has_no_values() -> None:
    assert only_fault(CLASSIFIER + "[values]\nb2 = [1, 2, 3, 4]").where == "values: b2"


def test_a_file_without_layers_is_refused() -> None:
    assert only_fault('input = 1\nloss = "none"').where == "layers"
    assert only_fault('input = 1\nloss = "none"\nlayers = []').where == "layers"
    fault = only_fault('input = 1\nloss = "none"\n[layers]\ntype = "dense"')
    assert "two brackets" in fault.hint


def test_a_thousand_layers_are_read_and_one_more_is_refused() -> None:
    head = 'input = 1\nloss = "none"\n'
    layer = '[[layers]]\ntype = "dense"\nunits = 1\n'
    assert len(loads(head + layer * 1000).architecture.layers) == 1000
    fault = only_fault(head + layer * 1001)
    assert fault.line == 3 + 3 * 1000
    assert "1001 layers" in fault.found


def test_text_that_is_not_toml_is_refused_at_its_place() -> None:
    fault = only_fault(changed("input = 2", "input = = 2"))
    assert (fault.line, fault.column) == (2, 9)


def test_latex_in_double_quotes_is_explained() -> None:
    fault = only_fault(CLASSIFIER + '[notation]\nsymbols = { h = "\\hat{y}" }')
    assert "single quotes" in fault.hint


def test_caret_points_into_the_symbol() -> None:
    text = CLASSIFIER + "[notation.symbols]\nh = 'a$'\n"
    fault = only_fault(text)
    assert (fault.line, fault.column) == (15, text.split("\n")[14].index("$") + 1)


@pytest.mark.parametrize(
    "nested",
    [
        "a = " + "[" * 9000,
        "a = " + "[" * 300 + "]" * 300,
        "a = " + "{b = " * 190_000,
        "a" + ".a" * 20_000 + " = 1",
        'a . "b.c"' + " . 'd'" * 16 + " = 1",
        "[a" + ".a" * 20_000 + "]",
        "[[a" + ".a" * 20_000 + "]]",
    ],
)
def test_deep_nesting_is_refused_before_it_takes_memory(nested: str) -> None:
    tracemalloc.start()
    fault = only_fault("# first\n" + nested)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (fault.line, fault.found) == (2, "keys or arrays nested too deeply")
    assert peak < 50 * len(nested) + 10**6


@pytest.mark.parametrize(
    "text",
    [
        "# " + "[" * 99,
        "# a" + ".a" * 99,
        f'name = "{"[" * 99}"',
        f'name = "{"." * 99}"',
        f"name = '{'[' * 99}'",
        f'name = """{"[" * 99}"" \\""" {"[" * 99}"""',
        f"name = '''{'[' * 99}' \\ {'[' * 99}''''",
        "[values]\nx = [[" + "0.5, " * 99 + "0.5]]",
    ],
)
def test_brackets_and_dots_of_strings_comments_and_numbers_nest_nothing(text: str) -> None:
    assert all(fault.where != "file" for fault in faults(text))


@pytest.mark.parametrize("unit", ['"""\\', "'''\n'", '"', "'", '\\"', "\\", "#", '""""', "''''"])
def test_quotes_that_never_close_are_refused_in_linear_time(unit: str) -> None:
    start = time.process_time()
    assert faults("a = " + unit * (900_000 // len(unit)))
    assert time.process_time() - start < 5


def test_a_large_text_is_refused() -> None:
    assert "at most" in only_fault("#" * (LARGEST_FILE + 1)).expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"k{i} = {i}" for i in range(40_000)),
        "[values]\nx = [" + "'a'," * 150_000 + "]",
        CLASSIFIER + "[values]\nx = [" + "['a',1]," * 90_000 + "]",
        "a" * 900_000 + " = 1",
    ],
)
def test_a_megabyte_of_faults_is_reported_in_seconds(text: str) -> None:
    start = time.process_time()
    assert faults(text)
    assert time.process_time() - start < 20


# Files


def test_a_missing_file_names_the_nearest_example() -> None:
    with pytest.raises(SpecError, match="did you mean `four-layer`"):
        load("four-leyer")
    with pytest.raises(SpecError, match="did you mean `line`"):
        load("no/such/lien.toml")


def test_a_file_is_read_by_path(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(CLASSIFIER, encoding="utf-8")
    assert load(path).architecture == loads(CLASSIFIER).architecture
    assert load(str(path)).source == str(path)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="a directory"):
        load(tmp_path)


def test_a_binary_file_is_refused_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_bytes(b"name = 'a'\n\xff\xfe")
    with pytest.raises(SpecError, match="UTF-8") as caught:
        load(path)
    assert caught.value.faults[0].line == 2


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    with path.open("wb") as stream:
        stream.truncate(10**9)
    with pytest.raises(SpecError, match="at most"):
        load(path)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "", "\udcff"])
def test_an_impossible_path_is_refused(path: str) -> None:
    with pytest.raises(SpecError):
        load(path)


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "net.toml").write_text(CLASSIFIER, encoding="utf-8")
    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(SpecError, match="permission denied"):
        load(tmp_path / "net.toml")


# Any text at all

WORDS = """
    [[layers]] [layers] [values] [[values]] [notation] symbols={h='a'} x=[[1]] W1=[[ units= loss=
    "none" true nan 1e999 0xffffffffffffffffffff 2000-01-01 ''' \"\"\" \x00 \ud7ff
"""
PIECES = st.sampled_from([*"[]{}=,.#\"'\\\n\r 01ax-_", *WORDS.split()])


def read(text: str) -> Specification | SpecError:
    try:
        return loads(text)
    except SpecError as error:
        return error


@st.composite
def mutated_examples(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from([*map(example_text, example_names()), CLASSIFIER]))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 12))
        text = text[:start] + draw(PIECES | st.just("") | st.text(max_size=3)) + text[end:]
    return text


@settings(max_examples=300, deadline=None)
@given(mutated_examples() | st.lists(PIECES, max_size=20).map("".join) | st.text(max_size=30))
def test_any_text_is_read_or_refused_by_line(text: str) -> None:
    result = read(text)
    if isinstance(result, SpecError):
        assert str(result)
        assert result.faults
        last = len(result.lines)
        assert all(f.line is None or 1 <= f.line <= last for f in result.faults)


# Where things stand

TRICKY = """\
# [not.a.table] = 1
top = 1 # comment
"quoted key" = 'a # b'
'single.quoted' = "]"
dotted . inner.deep = 2
text = \"\"\"
[no] = "x"
\\\"\"\" still \"\"\"
lit = '''
key = 3
'''
array = [ # first
  10, [20, 30], # inner ]
  { a = 40, "b" = [50] },
  "},]#",
]
empty = []
[[list]]
v = 1
[list.sub]
w = 2
[[list]]
v = 3
[[list.nested]]
u = 4
[table."with space".x]
z = 5
"""


def test_positions_point_at_every_value_of_a_tricky_text() -> None:
    found = positions(TRICKY)
    lines = TRICKY.split("\n")

    def text_at(*path: str | int) -> str:
        span = found[path].value
        return lines[span.line - 1][span.column - 1 :][: span.width]

    assert text_at("top") == "1"
    assert text_at("quoted key") == "'a # b'"
    assert text_at("single.quoted") == '"]"'
    assert text_at("dotted", "inner", "deep") == "2"
    assert text_at("array", 0) == "10"
    assert text_at("array", 1, 1) == "30"
    assert text_at("array", 2, "a") == "40"
    assert text_at("array", 2, "b", 0) == "50"
    assert text_at("array", 3) == '"},]#"'
    assert text_at("empty") == "[]"
    assert text_at("list", 0, "v") == "1"
    assert text_at("list", 0, "sub", "w") == "2"
    assert text_at("list", 1, "v") == "3"
    assert text_at("list", 1, "nested", 0, "u") == "4"
    assert text_at("table", "with space", "x", "z") == "5"
    assert found["text",].value.line == 6
    assert found["lit",].value.line == 9


def paths_of(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    below = [deeper for key, child in children for deeper in paths_of(child, (*path, key))]
    return below + ([path] if path else [])


@pytest.mark.parametrize("text", [TRICKY, CLASSIFIER, *map(example_text, example_names())])
def test_every_path_has_a_position(text: str) -> None:
    found = positions(text)
    assert [path for path in paths_of(tomllib.loads(text)) if path not in found] in (
        [],
        [("table", "with space"), ("table",)],  # stands only inside a longer header
    )

"""Small odd ONNX models for the tests of src/onnx and src/inspect, written to test/reference/models/.

Made with onnx 1.12.0 and numpy 1.24.2 under Python 3.11: python3 test/reference/onnx_models.py
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = pathlib.Path(__file__).parent / "models"
rng = np.random.default_rng(7)


def weight(name, *shape):
    return numpy_helper.from_array(rng.normal(0, 0.5, shape).astype(np.float32), name)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def value(name, dims=None, elem=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, elem, dims)


def node(op, inputs, outputs, name="", **attributes):
    return helper.make_node(op, inputs, outputs, name=name, **attributes)


def save(name, nodes, inputs, outputs, weights=(), infos=(), opset=13, ir=8, functions=(), change=None, extra_opsets=()):
    graph = helper.make_graph(nodes, name, inputs, outputs, initializer=list(weights), value_info=list(infos))
    graph.doc_string = "a test model"
    opsets = [helper.make_opsetid("", opset), *extra_opsets]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir, producer_name="convergent-tests")
    model.producer_version = "1"
    model.functions.extend(functions)
    if change:
        change(model)
    (OUT / f"{name}.onnx").write_bytes(model.SerializeToString())


OUT.mkdir(exist_ok=True)

# an image network with names as PyTorch writes them; the second branch is what pruning takes away
conv_nodes = [
    node("Conv", ["x", "w1", "b1"], ["/conv1/conv_out"], "/conv1/conv", pads=[1, 1, 1, 1]),
    node("Relu", ["/conv1/conv_out"], ["/conv1/relu_out"], "/conv1/relu"),
    node("MaxPool", ["/conv1/relu_out"], ["/pool_out"], "/pool", kernel_shape=[2, 2], strides=[2, 2]),
    node("Conv", ["/pool_out", "w2", "b2"], ["/conv2/conv_out"], "/conv2/conv", pads=[1, 1, 1, 1]),
    node("Relu", ["/conv2/conv_out"], ["/conv2/relu_out"], "/conv2/relu"),
    node("Flatten", ["/conv2/relu_out"], ["/flat"], "/flatten"),
    node("Gemm", ["/flat", "w3", "b3"], ["/fc_out"], "/fc", transB=1),
    node("Softmax", ["/fc_out"], ["y"], "/softmax"),
    node("Conv", ["/conv1/relu_out", "w4"], ["side"], "/side", kernel_shape=[1, 1]),
]
conv_weights = [
    weight("w1", 4, 3, 3, 3), weight("b1", 4), weight("w2", 5, 4, 3, 3), weight("b2", 5),
    weight("w3", 6, 80), weight("b3", 6), weight("w4", 2, 4, 1, 1),
]


def annotate(model):
    # the pooled value has a scale, the side branch another; both name weights of their own
    for tensor, scale in [("/pool_out", "pool_scale"), ("side", "side_scale")]:
        model.graph.initializer.append(weight(scale, 1))
        annotation = model.graph.quantization_annotation.add()
        annotation.tensor_name = tensor
        annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value=scale)


save(
    "conv", conv_nodes, [value("x", ["batch", 3, 8, 8])], [value("y", ["batch", 6]), value("side", ["batch", 2, 8, 8])], conv_weights,
    # one of them stale, as after a change of the batch
    [value("/conv1/relu_out", [1, 4, 8, 8]), value("/pool_out", ["batch", 4, 4, 4])], change=annotate,
)

# free height and width
save(
    "free_size",
    [node("Conv", ["x", "w"], ["c"], "conv"), node("Relu", ["c"], ["r"], "relu"), node("GlobalAveragePool", ["r"], ["y"], "mean")],
    [value("x", ["n", 3, "height", None])], [value("y")], [weight("w", 4, 3, 3, 3)],
)

# batch fixed at 4; a value of four rows that are not the batch
save(
    "fixed_batch",
    [
        node("Conv", ["x", "w"], ["c"], "conv"), node("Relu", ["c"], ["y"], "relu"),
        node("Identity", ["k"], ["constant"], "constant"),
    ],
    [value("x", [4, 3, 6, 6])], [value("y")], [weight("w", 2, 3, 3, 3), weight("k", 4, 3)],
)

# tokens [batch, position, unit]
save(
    "tokens",
    [
        node("MatMul", ["x", "w1"], ["q"], "proj"), node("Add", ["q", "b"], ["h"], "bias"), node("Relu", ["h"], ["r"], "act"),
        node("MatMul", ["r", "w2"], ["y"], "out"),
    ],
    [value("x", ["batch", 5, 6])], [value("y")], [weight("w1", 6, 7), weight("b", 7), weight("w2", 7, 3)],
)

# channels last
save(
    "nhwc",
    [
        node("Transpose", ["x"], ["xt"], "in", perm=[0, 3, 1, 2]), node("Conv", ["xt", "w"], ["c"], "conv"),
        node("Transpose", ["c"], ["ct"], "out", perm=[0, 2, 3, 1]), node("Relu", ["ct"], ["y"], "relu"),
    ],
    [value("x", ["batch", 6, 5, 3])], [value("y")], [weight("w", 4, 3, 2, 2)],
)

# nodes without names
save("unnamed", [node("Relu", ["x"], ["r"]), node("Neg", ["r"], ["y"])], [value("x", ["batch", 3])], [value("y")])

# the node `same` makes `other`; the value `same` comes from the node `first`
save(
    "name_clash", [node("Relu", ["x"], ["same"], "first"), node("Neg", ["same"], ["other"], "same")],
    [value("x", ["batch", 3])], [value("other")],
)

# two nodes of one name, which ONNX Runtime refuses to load
save(
    "twins", [node("Abs", ["x"], ["t1"], "twin"), node("Exp", ["t1"], ["y"], "twin")], [value("x", ["batch", 3])], [value("y")],
)

# values of all kinds that can't be taps, and a node with several outputs
save(
    "odd_values",
    [
        node("Split", ["x"], ["left", "right"], "split", axis=1),
        node("Shape", ["x"], ["shape"], "shape"),
        node("ReduceMean", ["x"], ["mean"], "mean", keepdims=0),
        node("Transpose", ["x"], ["turned"], "turn", perm=[1, 0]),
        node("Identity", ["k"], ["constant"], "constant"),
        node("Gemm", ["x", "x"], ["gram"], "gram", transB=1),
        node("ReduceSum", ["x", "axis1"], ["row_sum"], "row_sum", keepdims=0),
        node("Reshape", ["x", "five"], ["five_axes"], "five_axes"),
        node("Gemm", ["k", "x"], ["two_rows"], "two_rows", transB=1),
        # [2, 4] whatever the batch: two rows of zeros alone would take its first axis for the batch
        node("Gemm", ["x", "x"], ["square"], "square", transA=1),
        node("MatMul", ["k", "square"], ["two_rows_of_four"], "two_rows_of_four"),
        node("Cast", ["x"], ["half"], "half", to=TensorProto.FLOAT16),
        node("Dropout", ["x"], ["y", ""], "drop"),
    ],
    [value("x", ["batch", 4])], [value("y")],
    [weight("k", 2, 4), ints("axis1", 1), ints("five", 0, 1, 2, 1, 2)],
    [value("right", ["batch", 2]), value("square", [4, 4])],
)

# a sequence among the values
save(
    "sequence",
    [
        node("SplitToSequence", ["x", "one"], ["parts"], "parts", axis=1),
        node("SequenceAt", ["parts", "one"], ["part"], "part"),
        node("Relu", ["part"], ["y"], "relu"),
    ],
    [value("x", ["batch", 3])], [value("y")], [numpy_helper.from_array(np.array(1, np.int64), "one")],
)

# bodies that read values of the graph around them: If (two deep) and Loop; `loose` is read by nobody
inner = helper.make_graph([node("Add", ["deep", "wi"], ["inner_out"])], "inner", [], [value("inner_out")])
other = helper.make_graph([node("Identity", ["deep"], ["other_out"])], "other", [], [value("other_out")])
then = helper.make_graph(
    [node("If", ["flag"], ["then_out"], then_branch=inner, else_branch=other)], "then", [], [value("then_out")],
)
otherwise = helper.make_graph(
    [node("Mul", ["captured", "we"], ["else_out"])], "else", [], [value("else_out")], initializer=[weight("we", 3)],
)
body = helper.make_graph(
    [node("Add", ["carried", "step"], ["next"]), node("Identity", ["go_in"], ["go_out"])], "body",
    [value("i", [], TensorProto.INT64), value("go_in", [], TensorProto.BOOL), value("carried")],
    [value("go_out", [], TensorProto.BOOL), value("next")],
)
save(
    "bodies",
    [
        node("Relu", ["x"], ["captured"], "relu"), node("Abs", ["x"], ["deep"], "abs"), node("Exp", ["x"], ["loose"], "loose"),
        node("If", ["flag"], ["chosen"], "choose", then_branch=then, else_branch=otherwise),
        node("Neg", ["captured"], ["step"], "neg"),
        node("Loop", ["trips", "", "captured"], ["looped"], "loop", body=body),
        node("Add", ["chosen", "looped"], ["y"], "sum"),
    ],
    [value("x", ["batch", 3])], [value("y")],
    [
        weight("wi", 3), weight("unused", 30), numpy_helper.from_array(np.array(True), "flag"),
        numpy_helper.from_array(np.array(3, np.int64), "trips"),
    ],
)

# inputs that are refused
save("int_input", [node("Cast", ["ids"], ["y"], to=1)], [value("ids", ["batch", 3], TensorProto.INT64)], [value("y")])
save("two_inputs", [node("Add", ["image", "mask"], ["y"])], [value("image", ["b", 3]), value("mask", ["b", 3])], [value("y")])

# weights among the inputs, as before IR version 4
save(
    "old", [node("Gemm", ["x", "w", "b"], ["h"], "fc"), node("Relu", ["h"], ["y"], "relu"), node("Mul", ["h", "v"], ["z"], "mul")],
    [value("x", ["batch", 4]), value("w", [4, 3]), value("b", [3]), value("v", [3])], [value("y"), value("z")],
    [weight("w", 4, 3), weight("b", 3), weight("v", 3)], opset=9, ir=3,
)

# an operator defined in the file
scale = helper.make_function(
    "ours", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["s"]), node("Relu", ["s"], ["b"])], [helper.make_opsetid("", 13)],
)
save(
    "function", [helper.make_node("Twice", ["x"], ["h"], name="twice", domain="ours"), node("Neg", ["h"], ["y"], "neg")],
    [value("x", ["batch", 3])], [value("y")], functions=[scale], extra_opsets=[helper.make_opsetid("ours", 1)],
)


# weights in other files, as sparse tensors, and in attributes
def outside(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


save("external", [node("Mul", ["x", "w"], ["y"])], [value("x", ["batch", 3])], [value("y")], [weight("w", 3)], change=outside)


def move(tensor, location, offset, length):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, entry in [("location", location), ("offset", offset), ("length", length)]:
        tensor.external_data.add(key=key, value=str(entry))


# the network `conv` with all but one of its weights in two files, whose bytes are those of conv.onnx; the side
# branch, which main taps don't need, in a third
def scatter():
    whole = (OUT / "conv.onnx").read_bytes()
    model = onnx.load_from_string(whole)
    places = {"w1": "./conv.onnx", "b1": "conv.onnx", "w2": "conv.onnx", "pool_scale": "conv.onnx"}
    places |= {"w3": "head/conv.onnx", "b3": "head/conv.onnx", "w4": "side.bin", "side_scale": "side.bin"}
    for tensor in model.graph.initializer:
        if tensor.name in places:
            move(tensor, places[tensor.name], whole.index(tensor.raw_data), len(tensor.raw_data))
    (OUT / "conv_outside.onnx").write_bytes(model.SerializeToString())


scatter()


# weights beyond 3 GiB of a file of many networks
def far(model):
    for i, tensor in enumerate(model.graph.initializer):
        move(tensor, "many.bin", 3 * 2**30 + 4096 * i, 12)


save(
    "far", [node("Mul", ["x", "w"], ["h"]), node("Add", ["h", "b"], ["y"])], [value("x", ["batch", 3])], [value("y")],
    [numpy_helper.from_array(np.zeros(3, np.float32), name) for name in "wb"], change=far,
)

# a constant in another file
constant = helper.make_tensor("c", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])
move(constant, "weights.bin", 0, 12)
save(
    "external_constant", [node("Constant", [], ["k"], "constant", value=constant), node("Mul", ["x", "k"], ["y"])],
    [value("x", ["batch", 3])], [value("y")],
)


def sparse(model):
    values = helper.make_tensor("sparse_w", TensorProto.FLOAT, [2], [1.5, -2.0])
    indices = helper.make_tensor("sparse_i", TensorProto.INT64, [2], [1, 5])
    for name in ["sparse_w", "sparse_unused"]:
        values.name = name
        model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4, 3]))


save(
    "sparse",
    [
        node("MatMul", ["x", "sparse_w"], ["h"], "fc"),
        node("Constant", [], ["c"], "constant", value=helper.make_tensor("", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])),
        node("Add", ["h", "c"], ["y"], "add"), node("MatMul", ["x", "sparse_unused"], ["z"], "loose"),
    ],
    [value("x", ["batch", 4])], [value("y"), value("z")], change=sparse,
)

# a free batch that is none
save(
    "batch_inside", [node("Reshape", ["x", "to"], ["r"], "reshape"), node("Relu", ["r"], ["y"], "relu")],
    [value("x", ["batch", 2, 2])], [value("y")], [ints("to", 1, 4)],
)

# an input of unknown rank
save("no_shape", [node("Relu", ["x"], ["y"], "relu")], [value("x")], [value("y")])

# the kinds of products: grouped, strided and transposed convolutions, and a pointwise one
save(
    "products",
    [
        node("Conv", ["x", "w1"], ["grouped"], "grouped", pads=[1, 1, 1, 1], group=2),
        node("Conv", ["grouped", "w2"], ["pointwise"], "pointwise"),
        node("Conv", ["pointwise", "w2"], ["strided"], "strided", strides=[2, 2]),
        node("ConvTranspose", ["strided", "w3"], ["grown"], "grown", strides=[2, 2]),
        node("Flatten", ["grown"], ["flat"], "flat"),
        node("Gemm", ["flat", "w4"], ["y"], "fc"),
    ],
    [value("x", [4, 4, 6, 6])], [value("y")],
    [weight("w1", 8, 2, 3, 3), weight("w2", 8, 8, 1, 1), weight("w3", 8, 2, 2, 2), weight("w4", 72, 5)],
)


# a large weight of a product, and one that says a shape; both in a file that isn't there
def large(model):
    for tensor in model.graph.initializer:
        if tensor.name in ["w", "said"]:
            move(tensor, "large.bin", 0 if tensor.name == "w" else 512 * 512 * 4, len(tensor.raw_data))


save(
    "large",
    [
        node("MatMul", ["x", "w"], ["h"], "product"), node("Relu", ["h"], ["r"], "relu"),
        node("Slice", ["said", "zero", "three"], ["some"]), node("Cast", ["some"], ["shape"], to=TensorProto.INT64),
        node("Reshape", ["r", "shape"], ["y"], "reshape"),
    ],
    [value("x", ["batch", 512])], [value("y")],
    [
        numpy_helper.from_array(np.zeros((512, 512), np.float32), "w"),
        numpy_helper.from_array(np.zeros(65536, np.float32), "said"), ints("zero", 0), ints("three", 3),
    ],
    change=large,
)

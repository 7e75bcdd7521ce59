"""The scan of an ONNX file before onnxruntime sees it: bytes of a stranger in, acceptance or GraphRejected out.

wire      varints and packed numbers of protobuf, in one spelling only
schema    the messages of onnx.proto, and the fields we refuse at sight
reader    the iterative walk that makes Messages of bytes, within the bounds of `limits`
header    versions and metadata of the model
graphs    every graph, node and tensor of it
tensors   that a tensor's data is what its dims say, and how much there is of all
external  tensors whose data lies in another file of the package
constants, expansion   small inputs that make large tensors
scan      all of it, in order
"""

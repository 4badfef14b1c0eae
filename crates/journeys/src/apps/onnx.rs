//! An ONNX model made by hand: one matrix product, 4 MiB of weights.

use crate::site::noise;

/// Width of input and output.
const WIDTH: usize = 1024;

/// Bits of 1.0 as `f32`. With noise in the lower 23 bits a weight is in `1.0..2.0`.
const ONE_BITS: u32 = 0x3f80_0000;

/// `y = x W` with `x: float[1, 1024]` and `W: float[1024, 1024]`, as a `ModelProto` (onnx.proto, IR version 8, operators of version 13).
pub(super) fn model() -> Vec<u8> {
    let graph = [
        message(1, &[text(1, "x"), text(1, "w"), text(2, "y"), text(4, "MatMul")].concat()),
        text(2, "product"),
        message(5, &weights()),
        message(11, &float_value("x")),
        message(12, &float_value("y")),
    ];
    let opset = [text(1, ""), number(2, 13)].concat();
    [number(1, 8), message(7, &graph.concat()), message(8, &opset)].concat()
}

/// A `TensorProto` named `w`.
fn weights() -> Vec<u8> {
    let bytes: Vec<u8> = noise(41, WIDTH * WIDTH * 4)
        .chunks_exact(4)
        .flat_map(|chunk| {
            let random = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], 0]);
            (ONE_BITS | random >> 1).to_le_bytes()
        })
        .collect();
    [number(1, WIDTH), number(1, WIDTH), number(2, FLOAT), text(8, "w"), message(9, &bytes)].concat()
}

/// `TensorProto.DataType.FLOAT`.
const FLOAT: usize = 1;

/// A `ValueInfoProto` of shape `[1, WIDTH]`.
fn float_value(name: &str) -> Vec<u8> {
    let shape = [message(1, &number(1, 1)), message(1, &number(1, WIDTH))].concat();
    let tensor = [number(1, FLOAT), message(2, &shape)].concat();
    [text(1, name), message(2, &message(1, &tensor))].concat()
}

/// A field of protobuf that holds a number.
fn number(field: usize, value: usize) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field of protobuf that holds bytes or another message.
fn message(field: usize, body: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(body.len()), body.to_vec()].concat()
}

fn text(field: usize, body: &str) -> Vec<u8> {
    message(field, body.as_bytes())
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

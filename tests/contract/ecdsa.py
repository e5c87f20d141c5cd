"""An attack on commitments: the two P-256 keys under which one ECDSA signature is good (SEC 1, section 4.1.6)."""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
A = P - 3
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None


def recovered(message: bytes, signature: bytes) -> list[bytes]:
    """Both keys, as 65-byte uncompressed points: Q = (s R - e G) / r for R and -R."""
    r, s = decode_dss_signature(signature)
    e = int.from_bytes(sha256(message).digest()) % N
    y = pow(r**3 + A * r + B, (P + 1) // 4, P)  # P = 3 mod 4
    inverse = pow(r, -1, N)
    found = []
    for point in ((r, y), (r, P - y)):
        q = multiply(inverse, add(multiply(s, point), multiply(N - e, G)))
        assert q is not None
        found.append(b"\x04" + q[0].to_bytes(32) + q[1].to_bytes(32))
    return found


def add(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return one or other
    if one[0] == other[0] and (one[1] + other[1]) % P == 0:
        return None
    if one == other:
        slope = (3 * one[0] ** 2 + A) * pow(2 * one[1], -1, P)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P)
    x = (slope**2 - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def multiply(times: int, point: Point) -> Point:
    result: Point = None
    for bit in bin(times)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result

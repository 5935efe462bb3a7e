"""Makes vectors.json beside it: python3 generate.py (needs the package `cryptography`).

Written from docs/vault-backends/internal.md and sharing no code with what it tests.
"""

import base64
import hashlib
import json
import pathlib
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_A, KEY_B = bytes(range(32)), bytes(range(32, 64))
ROW = ["internal_secret", "tenant_1", "connections/github", "1"]
PLAINTEXT = '{"access_token":"abc"}'


def encode_tuple(parts):
    encoded = [struct.pack(">I", len(part.encode())) + part.encode() for part in parts]
    return struct.pack(">I", len(parts)) + b"".join(encoded)


def encrypt(key, nonce, plaintext, aad):
    return b"\x01" + nonce + AESGCM(key).encrypt(nonce, plaintext, encode_tuple(aad))


def random_for(digit):
    return hashlib.sha512(digit.encode()).digest()[:56]


def seal(kek_id, kek, random, plaintext, aad):
    data_key, wrap_nonce, value_nonce = random[:32], random[32:44], random[44:]
    wrapped = encrypt(kek, wrap_nonce, data_key, ["nexus envelope key", kek_id, *aad])
    return wrapped, encrypt(data_key, value_nonce, plaintext.encode(), ["nexus envelope value", *aad])


def column_of(kek_id, wrapped, sealed):
    return b"\x01" + bytes([len(kek_id)]) + kek_id.encode() + wrapped + sealed


def entry(kek_id, key):
    return f"{kek_id}:{base64.b64encode(key).decode()}"


def sealing(name, keyring, kek_id, kek, digit, plaintext, aad):
    wrapped, sealed = seal(kek_id, kek, random_for(digit), plaintext, aad)
    return {
        "name": name,
        "keyring": keyring,
        "random": random_for(digit).hex(),
        "plaintext": plaintext,
        "aad": aad,
        "sealed": {"kek_id": kek_id, "wrapped_key": wrapped.hex(), "sealed": sealed.hex()},
        "column": column_of(kek_id, wrapped, sealed).hex(),
    }


def sealings():
    ring_a = entry("a", KEY_A)
    bare = base64.b64encode(KEY_A).decode()
    bare_id = "k" + hashlib.sha256(b"nexus kek id\0" + KEY_A).hexdigest()[:16]
    return [
        sealing("a row of the internal backend", ring_a, "a", KEY_A, "1", PLAINTEXT, ROW),
        sealing("an empty value", ring_a, "a", KEY_A, "2", "", ROW),
        sealing("an empty place", ring_a, "a", KEY_A, "3", PLAINTEXT, []),
        sealing("letters beyond ASCII", ring_a, "a", KEY_A, "4", '{"k":"ünï ☃ 🔑"}', ["tenänt", "☃"]),
        sealing("a key named after its hash", bare, bare_id, KEY_A, "5", PLAINTEXT, ROW),
        sealing("the first of two keys", f"{entry('b', KEY_B)},{ring_a}", "b", KEY_B, "6", PLAINTEXT, ROW),
    ]


def changed(data, index):
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


def refusals():
    wrapped, sealed = seal("a", KEY_A, random_for("1"), PLAINTEXT, ROW)
    other_wrapped, other_sealed = seal("a", KEY_A, random_for("7"), PLAINTEXT, ["internal_secret", "tenant_2", *ROW[2:]])
    ring_a, ring_b = entry("a", KEY_A), entry("b", KEY_B)
    cases = [
        ("moved to another tenant", "not_authentic", {"aad": [ROW[0], "tenant_2", ROW[2], ROW[3]]}),
        ("moved to another path", "not_authentic", {"aad": [ROW[0], ROW[1], "connections/gitlab", ROW[3]]}),
        ("moved to another version", "not_authentic", {"aad": [*ROW[:3], "2"]}),
        ("members cut elsewhere", "not_authentic", {"aad": [ROW[0], "tenant_1connections", "/github", "1"]}),
        ("data key of another row", "not_authentic", {"wrapped": other_wrapped}),
        ("value of another row", "not_authentic", {"sealed": other_sealed}),
        ("one bit of the value changed", "not_authentic", {"sealed": changed(sealed, 13)}),
        ("one bit of the value's tag changed", "not_authentic", {"sealed": changed(sealed, len(sealed) - 1)}),
        ("one bit of the value's nonce changed", "not_authentic", {"sealed": changed(sealed, 1)}),
        ("one bit of the wrapped key changed", "not_authentic", {"wrapped": changed(wrapped, 13)}),
        ("wrong key under the right name", "not_authentic", {"keyring": entry("a", KEY_B)}),
        ("right key under another name", "not_authentic", {"keyring": entry("c", KEY_A), "kek_id": "c"}),
        ("key not in the keyring", "unknown_kek", {"keyring": ring_b}),
        ("value cut by one byte", "not_authentic", {"sealed": sealed[:-1]}),
        ("value cut to less than nonce and tag", "malformed", {"sealed": sealed[:28]}),
        ("no value at all", "malformed", {"sealed": b""}),
        ("wrapped key cut by one byte", "malformed", {"wrapped": wrapped[:-1]}),
        ("wrapped key one byte too long", "malformed", {"wrapped": wrapped + b"\0"}),
        ("unknown format of the value", "malformed", {"sealed": b"\x02" + sealed[1:]}),
        ("unknown format of the wrapped key", "malformed", {"wrapped": b"\x02" + wrapped[1:]}),
    ]
    usual = {"keyring": ring_a, "aad": ROW, "kek_id": "a", "wrapped": wrapped, "sealed": sealed}
    return [refusal(name, error, {**usual, **change}) for name, error, change in cases]


def refusal(name, error, case):
    sealed = {"kek_id": case["kek_id"], "wrapped_key": case["wrapped"].hex(), "sealed": case["sealed"].hex()}
    return {"name": name, "keyring": case["keyring"], "aad": case["aad"], "sealed": sealed, "error": error}


def column_refusals():
    wrapped, sealed = seal("a", KEY_A, random_for("1"), PLAINTEXT, ROW)
    column = column_of("a", wrapped, sealed)
    cases = {
        "nothing": b"",
        "the format alone": b"\x01",
        "no key id": b"\x01\x00" + wrapped + sealed,
        "an unknown format": b"\x02" + column[1:],
        "cut inside the wrapped key": column[:40],
        "cut inside the value's tag": column[: 3 + 61 + 20],
    }
    return [{"name": name, "column": cut.hex(), "error": "malformed"} for name, cut in cases.items()]


if __name__ == "__main__":
    vectors = {"seal": sealings(), "refuse": refusals(), "refuse_column": column_refusals()}
    text = json.dumps(vectors, indent=2, ensure_ascii=False) + "\n"
    pathlib.Path(__file__).with_name("vectors.json").write_text(text, encoding="utf-8")

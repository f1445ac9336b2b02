"""Checks a log with pymerkle and sigstore: `verify.py DIR VKEY [PROOF...]`.

The signature of the checkpoint is checked by sigstore's rekor module, the root over the entries of all bundles by
pymerkle, and each PROOF (a .tlog-proof file for an entry of this log) by sigstore's merkle module. What is written
here finds the files and takes bundles, keys and proofs apart.
"""

import base64
import pathlib
import sys
from types import SimpleNamespace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pymerkle import InmemoryTree
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import SignedCheckpoint
from sigstore._internal.trust import Keyring
from sigstore.models import common_v1

WIDTH = 256


def keyring(vkey):
    """The keys that sigstore looks in, and the id of the one in the text."""
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key, validate=True)
    if key[0] != 1 or len(key) != 33:
        raise ValueError("the key is not one of Ed25519")
    der = Ed25519PublicKey.from_public_bytes(key[1:]).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public = common_v1.PublicKey(
        raw_bytes=base64.b64encode(der), key_details=common_v1.PublicKeyDetails.PKIX_ED25519
    )
    return name, bytes.fromhex(key_id), Keyring([public])


def open_checkpoint(text, vkey):
    """The size and the root of a checkpoint that the key signed."""
    name, key_id, keys = keyring(vkey)
    signed = SignedCheckpoint.from_text(text)
    signed.signed_note.verify(keys, key_id)
    if signed.checkpoint.origin != name:
        raise ValueError(f"the checkpoint is not one of {name}")
    return signed.checkpoint.log_size, bytes.fromhex(signed.checkpoint.log_hash)


def path_of(index):
    digits = f"{index:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])


def entries(directory, size):
    """All entries, bundle by bundle."""
    for first in range(0, size, WIDTH):
        count = min(WIDTH, size - first)
        name = path_of(first // WIDTH) + ("" if count == WIDTH else f".p/{count}")
        bundle = (directory / "tile/entries" / name).read_bytes()
        for entry in range(count):
            length = int.from_bytes(bundle[:2], "big")
            if len(bundle) < 2 + length or len(bundle) < 2:
                raise ValueError(f"entry {first + entry} is cut")
            yield bundle[2 : 2 + length]
            bundle = bundle[2 + length :]
        if bundle:
            raise ValueError(f"something follows entry {first + count - 1}")


def check_proof(text, vkey, records):
    """Checks the file of a proof for one of the records."""
    head, checkpoint = text.split("\n\n", 1)
    first, *lines = head.split("\n")
    if first != "c2sp.org/tlog-proof@v1":
        raise ValueError("not a tlog-proof")
    lines = [line for line in lines if not line.startswith("extra ")]
    index = int(lines[0].removeprefix("index "))
    size, root = open_checkpoint(checkpoint, vkey)
    hashes = [base64.b64decode(line, validate=True) for line in lines[1:]]
    proof = SimpleNamespace(log_index=index, tree_size=size, hashes=hashes, root_hash=root)
    verify_merkle_inclusion(
        SimpleNamespace(_inner=SimpleNamespace(inclusion_proof=proof, canonicalized_body=records[index]))
    )


def verify(directory, vkey, proofs):
    size, root = open_checkpoint((directory / "checkpoint").read_bytes().decode(), vkey)
    tree = InmemoryTree(algorithm="sha256")
    records = list(entries(directory, size))
    tree.append_entries(records)
    if tree.get_root() != root:
        raise ValueError("the root over the entries is not that of the checkpoint")
    for proof in proofs:
        check_proof(pathlib.Path(proof).read_bytes().decode(), vkey, records)
    return size


def main():
    if len(sys.argv) < 3:
        print("FAIL usage: verify.py DIR VKEY [PROOF...]")
        return 2
    try:
        print("OK", verify(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
        return 0
    except Exception as error:
        print("FAIL", (str(error) or type(error).__name__)[:200])
        return 1


if __name__ == "__main__":
    sys.exit(main())

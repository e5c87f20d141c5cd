"""docs/formats/consent.md says what our bytes are: each test vector on that page is recomputed here."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from consent import canonical, grant, keys
from consent.cohort import cohort_key, padding_key
from consent.cohort_tree import CohortTree
from consent.encoding import to_base64url
from consent.grant import Details, Statement
from consent.purpose import Purpose
from consent.receipt import Acknowledgement, acknowledgement_bytes
from consent.texts import ConsentText
from consent.webauthn import Assertion, RelyingParty

PAGE = (Path(__file__).parents[3] / "docs/formats/consent.md").read_text()
VECTORS = {
    name: dict(line.split(" = ", 1) for line in body.strip().splitlines())
    for name, body in re.findall(r"```vector (\w+)\n(.*?)```", PAGE, re.DOTALL)
}
KEY = ec.derive_private_key(int(re.search(r"private key (0x[0-9a-f]+)", PAGE).group(1), 16), ec.SECP256R1())  # type: ignore[union-attr]
DETAILS = canonical.decode_as(VECTORS["details"]["json"].encode(), Details)
STATEMENT = canonical.decode_as(VECTORS["statement"]["json"].encode(), Statement)
SIGNED = grant.statement_bytes(STATEMENT)
COMMITMENT = bytes.fromhex(VECTORS["statement"]["commitment"])


def recompute_keys() -> dict[str, str]:
    return {"public_key": keys.public_bytes(KEY).hex()}


def recompute_details() -> dict[str, str]:
    secret = VECTORS["details"]["secret"]
    return {
        "secret": secret,
        "secret_digest": grant.secret_digest(bytes.fromhex(secret)),
        "json": canonical.encode(DETAILS).decode(),
        "digest": DETAILS.digest(),
    }


def recompute_mandate() -> dict[str, str]:
    details = canonical.decode_as(VECTORS["mandate"]["json"].encode(), Details)
    return {"json": canonical.encode(details).decode(), "digest": details.digest()}


def recompute_statement() -> dict[str, str]:
    code = VECTORS["statement"]["withdrawal_code"]
    evidence = grant.new_grant(STATEMENT, DETAILS, KEY)
    return {
        "withdrawal_code": code,
        "withdrawal_code_digest": grant.withdrawal_code_digest(bytes.fromhex(code)),
        "json": canonical.encode(STATEMENT).decode(),
        "signed_bytes_sha256": sha256(evidence.statement).hexdigest(),
        "signature": to_base64url(evidence.signature),
        "commitment": evidence.commitment.hex(),
    }


def recompute_passkey() -> dict[str, str]:
    """Client data as Chromium writes it; counter 7; signed deterministically, as no authenticator does."""
    rp_id, origin = "cleveland.localhost", "http://cleveland.localhost:8001"
    challenge = to_base64url(sha256(SIGNED).digest())
    client = f'{{"type":"webauthn.get","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}'.encode()
    data = sha256(rp_id.encode()).digest() + b"\x05" + (7).to_bytes(4)
    made = Assertion(
        authenticator_data=to_base64url(data),
        client_data=to_base64url(client),
        signature=to_base64url(keys.sign(KEY, data + sha256(client).digest())),
    )
    made.verify(KEY.public_key(), SIGNED, RelyingParty(rp_id, (origin,)))
    return {"rp_id": rp_id, **{name: getattr(made, name) for name in made.__struct_fields__}}


def recompute_replacement() -> dict[str, str]:
    new_key = bytes.fromhex(VECTORS["replacement"]["new_key"])
    return {"new_key": new_key.hex(), "replacement": grant.replacement_digest(COMMITMENT, new_key)}


def recompute_withdrawal() -> dict[str, str]:
    return {
        "signed_bytes": grant.withdrawal_bytes(COMMITMENT).hex(),
        "signature": to_base64url(grant.sign_withdrawal(COMMITMENT, KEY)),
    }


def recompute_purpose() -> dict[str, str]:
    purpose = canonical.decode_as(VECTORS["purpose"]["json"].encode(), Purpose)
    return {"json": canonical.encode(purpose).decode(), "digest": purpose.digest()}


def recompute_cohort() -> dict[str, str]:
    vector = VECTORS["cohort"]
    secret, seed = bytes.fromhex(VECTORS["details"]["secret"]), bytes.fromhex(vector["seed"])
    return {
        "study": vector["study"],
        "round": vector["round"],
        "key": cohort_key(secret, vector["study"], int(vector["round"])).hex(),
        "seed": vector["seed"],
        "padding_0": padding_key(seed, 0).hex(),
        "padding_1": padding_key(seed, 1).hex(),
    }


def recompute_tree() -> dict[str, str]:
    vector = VECTORS["tree"]
    tree = CohortTree(bytes.fromhex(key) for key in vector["keys"].split())
    proof = tree.prove(bytes.fromhex(vector["absent_key"]))
    return {
        "keys": vector["keys"],
        "root": tree.root.hex(),
        "absent_key": proof.key.hex(),
        "absent_found": "" if proof.found is None else proof.found.hex(),
        "absent_siblings": " ".join(sibling.hex() for sibling in proof.siblings),
    }


def recompute_acknowledgement() -> dict[str, str]:
    word = canonical.decode_as(VECTORS["acknowledgement"]["json"].encode(), Acknowledgement)
    return {
        "json": canonical.encode(word).decode(),
        "signed_bytes_sha256": sha256(acknowledgement_bytes(word)).hexdigest(),
    }


def recompute_text() -> dict[str, str]:
    file = VECTORS["text"]["file"]
    return {"file": file, "digest": ConsentText.read(file.replace("\\n", "\n").encode()).digest}


RECOMPUTED = {
    "keys": recompute_keys,
    "text": recompute_text,
    "details": recompute_details,
    "mandate": recompute_mandate,
    "statement": recompute_statement,
    "passkey": recompute_passkey,
    "replacement": recompute_replacement,
    "withdrawal": recompute_withdrawal,
    "purpose": recompute_purpose,
    "cohort": recompute_cohort,
    "tree": recompute_tree,
    "acknowledgement": recompute_acknowledgement,
}


def test_the_page_has_the_vectors_that_are_checked() -> None:
    assert VECTORS.keys() == RECOMPUTED.keys()


@pytest.mark.parametrize("name", RECOMPUTED)
def test_a_vector_is_what_the_code_makes(name: str) -> None:
    assert RECOMPUTED[name]() == VECTORS[name]


def test_the_digests_follow_from_the_page_alone() -> None:
    """The formulas as the page writes them, without our code."""

    def plain(tag: str, *parts: bytes) -> str:
        return sha256(tag.encode() + b"\n" + b"".join(parts)).hexdigest()

    details, statement, cohort = VECTORS["details"], VECTORS["statement"], VECTORS["cohort"]
    signed = b"covenant.grant.v1\n" + statement["json"].encode()
    public = bytes.fromhex(VECTORS["keys"]["public_key"])
    secret = bytes.fromhex(details["secret"])
    assert details["digest"] == plain("covenant.details.v1", details["json"].encode())
    mandate = VECTORS["mandate"]
    assert mandate["digest"] == plain("covenant.details.v1", mandate["json"].encode())
    assert details["secret_digest"] == plain("covenant.secret.v1", secret)
    assert statement["commitment"] == plain("covenant.commitment.v1", sha256(signed).digest(), public)
    assert VECTORS["withdrawal"]["signed_bytes"] == (b"covenant.withdrawal.v1\n" + COMMITMENT).hex()
    study = bytes.fromhex(cohort["study"].replace("-", ""))
    assert cohort["key"] == plain("covenant.cohort-key.v1", secret, study, bytes([0, 0, 0, 3]))
    assert VECTORS["purpose"]["digest"] == plain("covenant.purpose.v1", VECTORS["purpose"]["json"].encode())
    first, second, third = (bytes.fromhex(key) for key in VECTORS["tree"]["keys"].split())
    leaf_one, leaf_two, leaf_three = (sha256(b"\x00" + key).digest() for key in (first, second, third))
    right = sha256(b"\x01" + leaf_two + leaf_three).digest()
    assert VECTORS["tree"]["root"] == sha256(b"\x01" + leaf_one + right).hexdigest()

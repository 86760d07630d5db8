"""A received letter is judged by its headers."""

import pytest

from newsletter.doctor.domains import received

SIGNED = "From:To:Subject:Date:Message-ID:List-Unsubscribe:List-Unsubscribe-Post"
RESULTS = (
    "mx.inbox.example 1;\r\n dkim=pass (2048-bit key; unprotected) header.d=press.example header.s=s1;\r\n"
    " spf=pass (sender; ok) smtp.mailfrom=bounces.press.example; dmarc=pass (p=none) header.from=press.example"
)


def letter(*, results=RESULTS, covers=SIGNED, **changes) -> bytes:
    signature = {"v": "1", "a": "rsa-sha256", "c": "relaxed/relaxed", "d": "press.example", "s": "s1", "h": covers}
    signature |= {"bh": "abc=", "b": "def\r\n ghi="} | changes.pop("signature", {})
    headers = {
        "Authentication-Results": results,
        "DKIM-Signature": "; ".join(f"{name}={value}" for name, value in signature.items()),
        "From": "Example Press <letters@press.example>",
        "List-Unsubscribe": "<https://letters.press.example/u/k1.abc>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    return (
        "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None).encode() + b"\r\nHi\r\n"
    )


def levels(source: bytes, resolver) -> dict[str, str]:
    return {each.check: str(each.level) for each in received.judge(source, resolver)}


@pytest.fixture(autouse=True)
def policy(zone) -> None:
    zone.put("_dmarc.press.example", TXT="v=DMARC1; p=none")


def test_a_letter_with_all_results_is_ok(resolver):
    found = levels(letter(), resolver)
    assert set(found.values()) == {"ok"}
    assert found.keys() == {"spf", "dkim", "dmarc", "signature", "signed-headers", "algorithm", "one-click"}
    assert received.selectors(letter()) == [("s1", "press.example")]
    assert received.author(letter()) == "press.example"


@pytest.mark.parametrize("name", ["From", "To", "Subject", "Date", "List-Unsubscribe", "List-Unsubscribe-Post"])
def test_a_header_that_is_not_signed_is_named(resolver, name):
    covers = ":".join(each for each in SIGNED.split(":") if each != name)
    (verdict,) = [each for each in received.judge(letter(covers=covers), resolver) if each.check == "signed-headers"]
    assert verdict.level == "wrong"
    assert verdict.says.startswith(f"the signature does not cover {name}")
    assert ("RFC 8058" in verdict.says) == name.startswith("List-")


def test_signed_headers_are_recognized_in_any_case_and_folding(resolver):
    covers = SIGNED.lower().replace(":", " :\r\n\t")
    assert levels(letter(covers=covers), resolver)["signed-headers"] == "ok"


@pytest.mark.parametrize(
    ("changes", "check", "level"),
    [
        ({"a": "rsa-sha1"}, "algorithm", "wrong"),
        ({"a": "ed25519-sha256"}, "algorithm", "advice"),
        ({"l": "100"}, "algorithm", "wrong"),
        ({"d": "relay.example"}, "signature", "wrong"),
        ({"d": "letters.press.example"}, "signature", "ok"),
    ],
)
def test_the_signature_of_a_letter_is_judged(resolver, changes, check, level):
    found = [each for each in received.judge(letter(signature=changes), resolver) if each.check == check]
    assert level in [str(each.level) for each in found]


def test_strict_alignment_requires_the_same_domain(zone, resolver):
    zone.put("_dmarc.press.example", TXT="v=DMARC1; p=none; adkim=s")
    assert levels(letter(signature={"d": "letters.press.example"}), resolver)["signature"] == "wrong"


def test_alignment_is_judged_by_the_names_if_the_dns_fails(zone, resolver):
    zone.failing.add("_dmarc.press.example")
    assert levels(letter(), resolver)["signature"] == "ok"
    assert levels(letter(signature={"d": "relay.example"}), resolver)["signature"] == "wrong"


def test_a_letter_without_a_signature_is_wrong(resolver):
    found = levels(letter(DKIM_Signature=None), resolver)
    assert found["signature"] == "wrong"
    assert "signed-headers" not in found


@pytest.mark.parametrize(
    ("result", "level"),
    [
        ("pass", "ok"),
        ("fail", "wrong"),
        ("softfail", "wrong"),
        ("none", "wrong"),
        ("temperror", "unknown"),
        ("permerror", "wrong"),
    ],
)
def test_the_results_of_the_receiver_are_judged(resolver, result, level):
    found = levels(letter(results=f"mx.inbox.example; spf={result} smtp.mailfrom=a@press.example"), resolver)
    assert (found["spf"], found["dkim"]) == (level, "unknown")


def test_one_passing_signature_is_enough(resolver):
    both = "mx.example; dkim=fail header.d=old.example; dkim=pass header.d=press.example"
    assert levels(letter(results=both), resolver)["dkim"] == "ok"


def test_only_the_topmost_results_count(resolver):
    source = b"Authentication-Results: mine; spf=fail\r\n" + letter(results="forged; spf=pass")
    assert levels(source, resolver)["spf"] == "wrong"


def test_a_letter_without_results_is_unknown(resolver):
    assert levels(letter(Authentication_Results=None), resolver)["authentication"] == "unknown"


@pytest.mark.parametrize(
    ("header", "server", "results"),
    [
        ("mx.example; none", "mx.example", []),
        ("mx.example 1; spf=pass", "mx.example", [("spf", "pass", {})]),
        (
            'mx.example; dkim/1 = pass (a (nested; one) "x") reason="good; really" header.i=@a.example',
            "mx.example",
            [("dkim", "pass", {"reason": "good; really", "header.i": "@a.example"})],
        ),
    ],
)
def test_results_are_parsed_as_rfc_8601_defines(header, server, results):
    assert received.results(header) == (server, results)


@pytest.mark.parametrize(
    "changes",
    [
        {"List_Unsubscribe": None},
        {"List_Unsubscribe_Post": None},
        {"List_Unsubscribe": "<http://localhost:8000/u/k1.abc>"},
        {"List_Unsubscribe": "=?utf-8?q?=3Chttps=3A?="},
        {"List_Unsubscribe_Post": "List-Unsubscribe=Other"},
    ],
)
def test_a_letter_without_one_click_unsubscribe_is_wrong(resolver, changes):
    assert levels(letter(**changes), resolver)["one-click"] == "wrong"


@pytest.mark.parametrize(
    "source", [b"", b"\xff\x00\xfe", b"no header", b"From: \xff@\r\n\r\n", b"DKIM-Signature: x\r\n\r\n"]
)
def test_no_input_breaks_the_parser(resolver, source):
    assert received.judge(source, resolver)
    assert received.selectors(source) == []

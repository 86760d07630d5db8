"""The comparison of database and relay log reports every kind of error; otherwise the scenarios would prove nothing."""

import pytest

from newsletter.mail.delivery.deliveries import DeliveryStatus
from tests.chaos import comparison, relay_log
from tests.chaos.relay_log import CUT, REFUSED, TAKEN, Arrival, RelayLog


def arrival(number: int, **given: object) -> Arrival:
    reader = f"reader{number}@crowd.example"
    usual = Arrival(
        outcome=TAKEN,
        reply_code=250,
        connection=1,
        mail_at=float(number),
        end_at=number + 0.5,
        sender=f"b-{number}@bounces.press.example",
        recipient=reader,
        message_id=f"<{number}.x@press.example>",
        to=reader,
        digest=f"digest of {number}",
        octets=100,
    )
    return usual._replace(**given)


def owed(*statuses: DeliveryStatus) -> dict[str, DeliveryStatus]:
    return {f"reader{number}@crowd.example": status for number, status in enumerate(statuses)}


SENT = owed(DeliveryStatus.SENT, DeliveryStatus.SENT)


def test_letters_that_arrive_once_are_correct():
    verdict = comparison.compare(SENT, [arrival(0), arrival(1)])
    assert (verdict.lost, verdict.doubled, verdict.errors) == (0, 0, [])


def test_a_letter_recorded_as_sent_that_did_not_arrive_is_lost():
    assert comparison.compare(SENT, [arrival(0)]).lost == 1


@pytest.mark.parametrize("outcome", [REFUSED, CUT])
def test_a_refused_or_cut_letter_has_not_arrived(outcome):
    assert comparison.compare(SENT, [arrival(0), arrival(1, outcome=outcome)]).lost == 1


@pytest.mark.parametrize("status", [DeliveryStatus.QUEUED, DeliveryStatus.CLAIMED, DeliveryStatus.IN_DOUBT])
def test_a_delivery_without_a_final_status_is_lost_even_if_its_letter_arrived(status):
    assert comparison.compare(owed(DeliveryStatus.SENT, status), [arrival(0), arrival(1)]).lost == 1


def test_every_arrival_after_the_first_is_doubled():
    verdict = comparison.compare(SENT, [arrival(0), arrival(0), arrival(0), arrival(1)])
    assert (verdict.doubled, verdict.errors) == (2, [])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (arrival(1, digest="other bytes"), "not the same bytes"),
        (arrival(1, message_id="<other@press.example>"), "two different letters"),
        (arrival(1, sender="b-other@bounces.press.example"), "another sender"),
        (arrival(1, recipient="reader0@crowd.example"), "another letter's envelope"),
        (arrival(1, message_id=""), "without a Message-ID"),
        (arrival(7), "without a delivery"),
    ],
)
def test_a_repeat_that_is_not_the_same_letter_is_an_error(wrong, says):
    (error, *_) = comparison.compare(SENT, [arrival(0), arrival(1), wrong]).errors
    assert says in error


def test_a_letter_under_the_sender_of_another_is_an_error():
    mixed = [arrival(0), arrival(1, sender=arrival(0).sender), arrival(2)]
    (error,) = comparison.compare(owed(*[DeliveryStatus.SENT] * 3), mixed).errors
    assert "senders of several letters" in error


def test_one_sender_for_all_letters_is_no_error():
    same = [arrival(number, sender="letters@press.example") for number in range(2)]
    assert comparison.compare(SENT, same).errors == []


@pytest.mark.parametrize("status", [DeliveryStatus.FAILED, DeliveryStatus.WITHHELD, DeliveryStatus.CANCELLED])
def test_a_letter_recorded_as_not_sent_must_not_have_arrived(status):
    (error,) = comparison.compare(owed(DeliveryStatus.SENT, status), [arrival(0), arrival(1)]).errors
    assert str(status) in error


def test_a_letter_with_status_unknown_may_have_arrived_or_not():
    unknown = owed(DeliveryStatus.UNKNOWN, DeliveryStatus.UNKNOWN)
    verdict = comparison.compare(unknown, [arrival(0)])
    assert (verdict.lost, verdict.doubled, verdict.errors) == (0, 0, [])


def test_a_letter_may_begin_within_two_seconds_of_an_unsubscribe_and_not_later():
    left = {"reader5@crowd.example": 3.1, "reader6@crowd.example": 3.9}
    (error,) = comparison.late(left, [arrival(5), arrival(6), arrival(7)])
    assert "reader6@crowd.example (after 2.10 s)" in error
    assert "reader5" not in error


def test_a_log_is_read_as_written_without_an_incomplete_last_line(tmp_path):
    path = tmp_path / "log"
    written = [arrival(0), arrival(1, reply_code=0, outcome=CUT)]
    for one in written:
        RelayLog(path).write(one)
    with path.open("a") as file:
        file.write("taken\t250\t1")
    assert list(relay_log.read(path)) == written


def test_names_are_found_in_folded_headers_and_in_the_header_only():
    head = b"\r\nTO: =?utf-8?q?Zo=C3=AB?=\r\n <zoe@example.org>\r\nmessage-id:\r\n <1@x>\r\n\r\nMessage-ID: <2@x>\r\n"
    assert relay_log.names(head) == ("<1@x>", "zoe@example.org")

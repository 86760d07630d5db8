"""Whom a refusal is about: replies as servers give them, and what follows for the letter and its reader."""

import pytest

from newsletter.mail.transport import replies
from newsletter.mail.transport.replies import Cause
from newsletter.mail.transport.transport import Outcome, Reply

GONE, NOT_NOW, OURS = Cause  # the reader's for good, the reader's for now, the sender's

TABLE = [
    # no such mailbox, or none any more: the reader is not written to again
    (GONE, 550, "5.1.1 <x@example.org>: Recipient address rejected: User unknown in virtual mailbox table"),  # Postfix
    (GONE, 550, "5.1.1 The email account that you tried to reach does not exist. Please try double-checking"),  # Gmail
    (GONE, 550, "5.1.2 The recipient's domain does not exist"),
    (GONE, 553, "5.1.3 The address you tried to reach is not a valid RFC 5321 address"),
    (GONE, 550, "5.1.6 Mailbox has moved, no forwarding address"),
    (GONE, 550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),  # Exchange
    (GONE, 556, "5.1.10 Recipient address has null MX"),  # RFC 7505
    (GONE, 550, "5.2.1 The email account that you tried to reach is disabled"),
    (GONE, 550, "5.5.0 Requested action not taken: mailbox unavailable"),  # Outlook.com
    (GONE, 550, "5.2.0 No such mailbox"),
    (GONE, 550, "5.0.0 no"),
    (GONE, 550, "#5.1.0 Address rejected."),  # IronPort
    (GONE, 550, "Unknown user"),  # Exim
    (GONE, 550, "Unrouteable address"),  # Exim
    (GONE, 550, "No such user here"),
    (GONE, 550, "Message was not accepted -- invalid mailbox. Local mailbox is unavailable: account is disabled"),
    (GONE, 550, "sorry, no mailbox here by that name. (#5.1.1)"),  # qmail
    (GONE, 551, "User not local; please try <forward-path>"),
    (GONE, 553, "mailbox name not allowed"),
    (GONE, 554, "delivery error: dd This user doesn't have a yahoo.com account [-9] - mta1003.mail.example"),
    (GONE, 554, "30 Sorry, your message cannot be delivered. This mailbox is disabled (554.30)."),
    (GONE, 556, "domain takes no mail"),  # RFC 7504
    (GONE, 553, "5.6.7 Non-ASCII addresses not permitted for that recipient"),  # RFC 6531
    # the reader exists, and this time it did not work
    (NOT_NOW, 450, "4.2.0 <x@example.org>: Recipient address rejected: Greylisted, see http://postgrey.example/help"),
    (NOT_NOW, 451, "4.7.1 Greylisting in action, please come back in 00:05:00"),  # milter-greylist
    (NOT_NOW, 450, "4.7.1 <x@example.org>: Recipient address rejected: Graylisted"),
    (NOT_NOW, 451, "Greylisted, please try again later"),  # Exim
    (NOT_NOW, 450, "4.2.1 The user you are trying to contact is receiving mail too quickly"),  # Gmail
    (NOT_NOW, 550, "5.2.1 The user you are trying to contact is receiving mail at a rate that prevents delivery"),
    (NOT_NOW, 452, "4.2.2 The email account that you tried to reach is over quota"),
    (NOT_NOW, 552, "5.2.2 The email account that you tried to reach is over quota and inactive"),
    (NOT_NOW, 554, "5.2.2 mailbox full"),
    (NOT_NOW, 552, "Requested mail action aborted: exceeded storage allocation"),
    (NOT_NOW, 552, "mailbox full"),
    (NOT_NOW, 550, "Mailbox quota exceeded"),
    (NOT_NOW, 450, "4.1.2 Domain not found"),
    (NOT_NOW, 450, "5.1.1 User unknown"),  # soft_bounce = yes: the code's class decides about trying again
    (NOT_NOW, 451, "4.3.0 Temporary lookup failure"),
    (NOT_NOW, 451, "4.3.2 System not accepting network messages"),
    (NOT_NOW, 452, "4.3.1 Insufficient system storage"),
    (NOT_NOW, 451, "4.4.1 Connection timed out"),
    (NOT_NOW, 452, "4.5.3 Too many recipients"),
    (NOT_NOW, 451, "Temporary local problem - please try later"),  # Exim
    (NOT_NOW, 451, "Requested action aborted: local error in processing"),
    (NOT_NOW, 450, "Requested mail action not taken: mailbox unavailable"),
    (NOT_NOW, 550, "5.4.1 Recipient address rejected: Access denied"),  # Exchange Online
    (NOT_NOW, 550, "5.4.4 Host or domain name not found"),
    (NOT_NOW, 554, "5.4.14 Hop count exceeded - possible mail loop"),
    (NOT_NOW, 550, "5.3.0 Other mail system problem"),
    (NOT_NOW, 554, "5.3.2 STOREDRV.Deliver; message could not be delivered to the mailbox"),
    # held against the sender, the content or the pace; the reader has nothing to do with it
    (OURS, 421, "4.7.0 Try again later, closing connection."),
    (OURS, 421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume"),  # Yahoo
    (OURS, 421, "Too many concurrent SMTP connections"),  # Exim
    (OURS, 421, "Service not available, closing transmission channel"),
    (OURS, 450, "4.7.1 Error: too much mail from 192.0.2.1"),  # Postfix, anvil
    (OURS, 451, "4.7.1 Service unavailable - try again later"),
    (OURS, 451, "4.7.500 Server busy. Please try again later from [192.0.2.1]."),  # Exchange Online
    (OURS, 451, "4.7.650 The mail server has been temporarily rate limited due to IP reputation."),
    (OURS, 450, "Too many messages in this session"),
    (OURS, 452, "Message rate exceeded"),
    (OURS, 421, "4.7.23 The sending IP address has no PTR record"),
    (OURS, 421, "4.7.27 SPF did not pass"),
    (OURS, 421, "4.7.28 Gmail has detected an unusual rate of unsolicited mail"),
    (OURS, 421, "4.7.29 This message was sent without TLS"),
    (OURS, 421, "4.7.30 DKIM did not pass"),
    (OURS, 421, "4.7.32 The From: header is not aligned"),
    (OURS, 550, "5.7.26 This mail is unauthenticated"),
    (OURS, 550, "5.7.1 Our system has detected that this message is likely unsolicited mail"),
    (OURS, 554, "5.7.1 <x@example.org>: Relay access denied"),  # Postfix
    (OURS, 550, "5.7.1 <x@example.org>: Recipient address rejected: Access denied"),
    (OURS, 550, "5.7.515 Access denied, sending domain does not meet the required authentication level"),  # Microsoft
    (OURS, 550, "5.7.606 Access denied, banned sending IP [192.0.2.1]"),
    (OURS, 553, "5.7.1 [BL21] Connections will not be accepted from 192.0.2.1"),
    (OURS, 554, "5.7.9 Message not accepted for policy reasons"),  # Yahoo
    (OURS, 530, "5.7.0 Authentication required"),
    (OURS, 535, "5.7.8 Authentication credentials invalid"),
    (OURS, 553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),  # qmail
    (OURS, 554, "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"),  # Postfix
    (OURS, 550, "5.1.1 rejected: 192.0.2.1 is on the blocklist at spamcop"),
    (OURS, 550, "JunkMail rejected - host is in an RBL on example.org"),
    (OURS, 554, "Transaction failed. Reject due to policy restrictions."),
    (OURS, 550, "Requested action not taken: mailbox unavailable. Reject due to policy restrictions."),
    (OURS, 554, "transaction failed"),
    (OURS, 550, "relay not permitted"),  # Exim
    (OURS, 550, "Administrative prohibition"),  # Exim
    (OURS, 550, "Sender verify failed"),  # Exim
    (OURS, 550, "5.1.8 sender domain does not exist"),
    (OURS, 553, "5.1.7 The sender's address is not valid"),
    (OURS, 552, "5.3.4 Message size exceeds fixed limit"),
    (OURS, 552, "sorry, that message size exceeds my databytes limit (#5.3.4)"),  # qmail
    (OURS, 552, "Message size exceeds maximum permitted"),  # Exim
    (OURS, 552, "5.2.3 Message is too large for this mailbox"),
    (OURS, 554, "5.6.0 Message content rejected"),
    (OURS, 550, "5.6.1 Media not supported"),
    (OURS, 554, "5.5.1 Error: no valid recipients"),
    (OURS, 503, "5.5.1 Error: need RCPT command"),
    (OURS, 501, "5.5.4 Syntax error in parameters"),
    (OURS, 500, "5.5.2 Error: bad syntax"),
    (OURS, 502, "Command not implemented"),
    (OURS, 501, "Syntax error"),
    (OURS, 555, "Parameters not recognised"),
]


@pytest.mark.parametrize(("cause", "code", "text"), TABLE, ids=[f"{code} {text[:48]}" for _, code, text in TABLE])
def test_a_refusal_is_about_somebody(cause, code, text):
    reply = replies.heard(code, text.encode())
    assert replies.cause(reply) is cause
    assert replies.verdict(reply) is (Outcome.REFUSED if cause is GONE else Outcome.LATER)


def test_only_what_is_said_for_good_is_refused():
    assert replies.verdict(Reply(450, "5.1.1", "User unknown")) is Outcome.LATER
    assert replies.verdict(Reply(None, None, "Connection reset by peer")) is Outcome.LATER


def test_our_own_findings_have_a_cause_as_well():
    assert replies.cause(replies.BAD_RECIPIENT) is GONE
    assert replies.cause(replies.BAD_SENDER) is OURS
    assert replies.cause(replies.ours(ConnectionResetError())) is NOT_NOW


@pytest.mark.parametrize(
    ("address", "said", "kept"),
    [
        ("jane.doe@example.org", "jane.doe... User unknown", "<address>... User unknown"),
        ("Jane.Doe@example.org", "no such user: jane.doe", "no such user: <address>"),
        ("jane+news@example.org", "jane unknown, jane+news unknown", "<address> unknown, <address> unknown"),
        ("jan@example.org", "January is over", "January is over"),
        ("jo@example.org", "jo is nobody", "jo is nobody"),
    ],
)
def test_a_reply_does_not_name_its_reader_by_what_stands_before_the_at(address, said, kept):
    assert replies.nameless(Reply(550, "5.1.1", said), address).text == kept


def test_a_reply_that_quotes_a_link_keeps_no_token():
    assert replies.heard(550, b"5.7.1 bad https://letters.example/u/k1.AbCd").text == "bad https://letters.example/u/…"
    assert replies.heard(250, b"2.0.0 seen https://letters.example/u/k1.AbCd").text.endswith("/u/…")

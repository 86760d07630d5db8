"""What a refusal is about: replies of real servers, and the outcome for the message."""

import pytest

from newsletter.mail.transport import replies
from newsletter.mail.transport.replies import RefusalCause
from newsletter.mail.transport.transport import Outcome, Reply

GONE, TRANSIENT, POLICY = RefusalCause

TABLE = [
    # the mailbox does not exist or no longer accepts mail: the address is not written to again
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
    # the recipient exists, but delivery failed this time
    (TRANSIENT, 450, "4.2.0 <x@example.org>: Recipient address rejected: Greylisted, see http://postgrey.example/help"),
    (TRANSIENT, 451, "4.7.1 Greylisting in action, please come back in 00:05:00"),  # milter-greylist
    (TRANSIENT, 450, "4.7.1 <x@example.org>: Recipient address rejected: Graylisted"),
    (TRANSIENT, 451, "Greylisted, please try again later"),  # Exim
    (TRANSIENT, 450, "4.2.1 The user you are trying to contact is receiving mail too quickly"),  # Gmail
    (TRANSIENT, 550, "5.2.1 The user you are trying to contact is receiving mail at a rate that prevents delivery"),
    (TRANSIENT, 452, "4.2.2 The email account that you tried to reach is over quota"),
    (TRANSIENT, 552, "5.2.2 The email account that you tried to reach is over quota and inactive"),
    (TRANSIENT, 554, "5.2.2 mailbox full"),
    (TRANSIENT, 552, "Requested mail action aborted: exceeded storage allocation"),
    (TRANSIENT, 552, "mailbox full"),
    (TRANSIENT, 550, "Mailbox quota exceeded"),
    (TRANSIENT, 450, "4.1.2 Domain not found"),
    (TRANSIENT, 450, "5.1.1 User unknown"),  # Postfix with soft_bounce = yes: the first digit of the code decides
    (TRANSIENT, 451, "4.3.0 Temporary lookup failure"),
    (TRANSIENT, 451, "4.3.2 System not accepting network messages"),
    (TRANSIENT, 452, "4.3.1 Insufficient system storage"),
    (TRANSIENT, 451, "4.4.1 Connection timed out"),
    (TRANSIENT, 452, "4.5.3 Too many recipients"),
    (TRANSIENT, 451, "Temporary local problem - please try later"),  # Exim
    (TRANSIENT, 451, "Requested action aborted: local error in processing"),
    (TRANSIENT, 450, "Requested mail action not taken: mailbox unavailable"),
    (TRANSIENT, 550, "5.4.1 Recipient address rejected: Access denied"),  # Exchange Online
    (TRANSIENT, 550, "5.4.4 Host or domain name not found"),
    (TRANSIENT, 554, "5.4.14 Hop count exceeded - possible mail loop"),
    (TRANSIENT, 550, "5.3.0 Other mail system problem"),
    (TRANSIENT, 554, "5.3.2 STOREDRV.Deliver; message could not be delivered to the mailbox"),
    # because of the sender, the content or the pace, not the recipient
    (POLICY, 421, "4.7.0 Try again later, closing connection."),
    (POLICY, 421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume"),  # Yahoo
    (POLICY, 421, "Too many concurrent SMTP connections"),  # Exim
    (POLICY, 421, "Service not available, closing transmission channel"),
    (POLICY, 450, "4.7.1 Error: too much mail from 192.0.2.1"),  # Postfix, anvil
    (POLICY, 451, "4.7.1 Service unavailable - try again later"),
    (POLICY, 451, "4.7.500 Server busy. Please try again later from [192.0.2.1]."),  # Exchange Online
    (POLICY, 451, "4.7.650 The mail server has been temporarily rate limited due to IP reputation."),
    (POLICY, 450, "Too many messages in this session"),
    (POLICY, 452, "Message rate exceeded"),
    (POLICY, 421, "4.7.23 The sending IP address has no PTR record"),
    (POLICY, 421, "4.7.27 SPF did not pass"),
    (POLICY, 421, "4.7.28 Gmail has detected an unusual rate of unsolicited mail"),
    (POLICY, 421, "4.7.29 This message was sent without TLS"),
    (POLICY, 421, "4.7.30 DKIM did not pass"),
    (POLICY, 421, "4.7.32 The From: header is not aligned"),
    (POLICY, 550, "5.7.26 This mail is unauthenticated"),
    (POLICY, 550, "5.7.1 Our system has detected that this message is likely unsolicited mail"),
    (POLICY, 554, "5.7.1 <x@example.org>: Relay access denied"),  # Postfix
    (POLICY, 550, "5.7.1 <x@example.org>: Recipient address rejected: Access denied"),
    (POLICY, 550, "5.7.515 Access denied, sending domain does not meet the required authentication level"),  # Microsoft
    (POLICY, 550, "5.7.606 Access denied, banned sending IP [192.0.2.1]"),
    (POLICY, 553, "5.7.1 [BL21] Connections will not be accepted from 192.0.2.1"),
    (POLICY, 554, "5.7.9 Message not accepted for policy reasons"),  # Yahoo
    (POLICY, 530, "5.7.0 Authentication required"),
    (POLICY, 535, "5.7.8 Authentication credentials invalid"),
    (POLICY, 553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),  # qmail
    (POLICY, 554, "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"),  # Postfix
    (POLICY, 550, "5.1.1 rejected: 192.0.2.1 is on the blocklist at spamcop"),
    (POLICY, 550, "JunkMail rejected - host is in an RBL on example.org"),
    (POLICY, 554, "Transaction failed. Reject due to policy restrictions."),
    (POLICY, 550, "Requested action not taken: mailbox unavailable. Reject due to policy restrictions."),
    (POLICY, 554, "transaction failed"),
    (POLICY, 550, "relay not permitted"),  # Exim
    (POLICY, 550, "Administrative prohibition"),  # Exim
    (POLICY, 550, "Sender verify failed"),  # Exim
    (POLICY, 550, "5.1.8 sender domain does not exist"),
    (POLICY, 553, "5.1.7 The sender's address is not valid"),
    (POLICY, 552, "5.3.4 Message size exceeds fixed limit"),
    (POLICY, 552, "sorry, that message size exceeds my databytes limit (#5.3.4)"),  # qmail
    (POLICY, 552, "Message size exceeds maximum permitted"),  # Exim
    (POLICY, 552, "5.2.3 Message is too large for this mailbox"),
    (POLICY, 554, "5.6.0 Message content rejected"),
    (POLICY, 550, "5.6.1 Media not supported"),
    (POLICY, 554, "5.5.1 Error: no valid recipients"),
    (POLICY, 503, "5.5.1 Error: need RCPT command"),
    (POLICY, 501, "5.5.4 Syntax error in parameters"),
    (POLICY, 500, "5.5.2 Error: bad syntax"),
    (POLICY, 502, "Command not implemented"),
    (POLICY, 501, "Syntax error"),
    (POLICY, 555, "Parameters not recognized"),
]


@pytest.mark.parametrize(("cause", "code", "text"), TABLE, ids=[f"{code} {text[:48]}" for _, code, text in TABLE])
def test_a_refusal_has_the_cause_that_its_reply_names(cause, code, text):
    reply = replies.parse(code, text.encode())
    assert replies.refusal_cause(reply) is cause
    assert replies.refusal_outcome(reply) is (Outcome.REFUSED if cause is GONE else Outcome.LATER)


def test_a_transient_reply_never_means_refused():
    assert replies.refusal_outcome(Reply(450, "5.1.1", "User unknown")) is Outcome.LATER
    assert replies.refusal_outcome(Reply(None, None, "Connection reset by peer")) is Outcome.LATER


def test_our_own_descriptions_have_a_cause_as_well():
    assert replies.refusal_cause(replies.BAD_RECIPIENT) is GONE
    assert replies.refusal_cause(replies.BAD_SENDER) is POLICY
    assert replies.refusal_cause(replies.from_error(ConnectionResetError())) is TRANSIENT


@pytest.mark.parametrize(
    ("address", "text", "kept"),
    [
        ("jane.doe@example.org", "jane.doe... User unknown", "<address>... User unknown"),
        ("Jane.Doe@example.org", "no such user: jane.doe", "no such user: <address>"),
        ("jane+news@example.org", "jane unknown, jane+news unknown", "<address> unknown, <address> unknown"),
        ("jan@example.org", "January is over", "January is over"),
        ("jo@example.org", "jo is nobody", "jo is nobody"),
    ],
)
def test_a_reply_does_not_name_its_recipient_by_the_local_part(address, text, kept):
    assert replies.without_name(Reply(550, "5.1.1", text), address).text == kept


def test_a_reply_that_quotes_a_link_does_not_keep_its_token():
    assert replies.parse(550, b"5.7.1 bad https://letters.example/u/k1.AbCd").text == "bad https://letters.example/u/…"
    assert replies.parse(250, b"2.0.0 seen https://letters.example/u/k1.AbCd").text.endswith("/u/…")

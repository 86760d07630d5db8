"""The workers' logs contain ids and counts, and no addresses."""

import logging

from newsletter.queues.wakeups import Queue

ANA, BOB = "ana@example.org", "bob@example.org"


def test_sign_ups_and_letters_are_logged_as_counts_and_only_if_there_are_some(service, caplog):
    service.newsletter()
    caplog.set_level(logging.INFO, "newsletter")
    caplog.set_level(logging.INFO, "workers")
    for reader in (ANA, BOB):
        service.sign_up(reader)
    caplog.clear()
    service.run(Queue.URGENT)
    processed, sent = caplog.records
    assert (processed.message, processed.count) == ("sign-ups processed", 2)
    assert (sent.message, sent.taken, sent.urgent) == ("letters sent", 2, True)
    caplog.clear()
    service.run()
    assert caplog.records == []

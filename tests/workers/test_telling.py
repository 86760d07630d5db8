"""What an operator reads of the workers' day: ids and counts, and nobody's name."""

import logging

from newsletter.queues.wakeups import Queue

ANA, BOB = "ana@example.org", "bob@example.org"


def test_sign_ups_and_letters_are_told_by_number_and_only_where_there_were_some(stage, caplog):
    stage.newsletter()
    caplog.set_level(logging.INFO, "newsletter")
    caplog.set_level(logging.INFO, "workers")
    for reader in (ANA, BOB):
        stage.sign_up(reader)
    caplog.clear()
    stage.run(Queue.URGENT)
    answered, carried = caplog.records
    assert (answered.message, answered.count) == ("sign-ups answered", 2)
    assert (carried.message, carried.taken, carried.urgent) == ("letters carried", 2, True)
    caplog.clear()
    stage.run()
    assert caplog.records == []

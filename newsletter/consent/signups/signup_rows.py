"""The row of a sign-up that a visitor's request causes, whichever page it came from."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from newsletter import addresses
from newsletter.addresses import Address
from newsletter.consent.evidence_terms import EvidenceField
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.limits import networks
from newsletter.consent.signups import signups
from newsletter.keys import Keyring


def values(
    keyring: Keyring,
    *,
    address: Address,
    evidence: Mapping[EvidenceField, str | None],
    trace: Trace,
    now: datetime,
    **columns: Any,
) -> dict[str, Any]:
    """Return the row, with the keys of the inbox and of the client's network; `columns` are as of `signups.values`.

    The trace is part of the evidence for as long as nobody has confirmed. What is empty in the evidence is left out.
    """
    traced = {EvidenceField.IP: trace.ip, EvidenceField.USER_AGENT: trace.user_agent}
    return signups.values(
        address=address,
        fold_key=addresses.fold(keyring, address.key),
        network_key=networks.keys(keyring, trace.ip).network or "",
        evidence={name: value for name, value in {**evidence, **traced}.items() if value},
        now=now,
        **columns,
    )

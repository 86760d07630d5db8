"""The information of GDPR Art. 13 that the forms of the release before showed, always in English, and stored nowhere.

An upgrade publishes it as it was: other words are the operator's to publish. Remove it when every database has been
through this release.
"""

from collections.abc import Sequence

from newsletter.consent.wordings.proposed_words import Information
from newsletter.newsletters import Newsletter

KEPT = (
    "You stop. If you do not confirm, we delete the address 72 hours after our letter. The proof that you "
    "agreed is kept until the end of the third year after you stop, and used for nothing else."
)
RIGHTS = (
    "See, correct, move or erase what we hold, restrict or object to its use, withdraw your consent at any time, and "
    "complain to the data protection authority. What was done before you withdraw stays lawful."
)


def information(offered: Sequence[Newsletter]) -> Information:
    """Return the information for the only newsletter of a form."""
    about = offered[0]
    responsible = f"{about.publisher}, {about.postal_address}. Write to {about.reply_to}."
    return {
        "language": "en",
        "entries": [
            ["Responsible", responsible],
            ["Purpose and basis", f"Sending you {about.name}, with your consent (Art. 6(1)(a) GDPR)."],
            ["Who else sees it", "Only whoever carries our mail for us, under contract and for nothing else."],
            ["Not measured", "Whether you open a letter, or what you press in it."],
            ["Kept until", KEPT],
            ["Your rights", RIGHTS],
            ["Must you give it?", "No. But without an address we cannot write to you."],
        ],
    }

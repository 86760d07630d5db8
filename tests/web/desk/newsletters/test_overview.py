"""The page of a newsletter: its welcome letter, and why readers left."""

from newsletter.consent.decisions import leaving_reasons
from newsletter.consent.decisions.leaving_reasons import ReasonToLeave, Withdrawal
from newsletter.operators.roles import Role
from tests.web.desk.newsletters.texts import text

MORNING = "/newsletters/morning"


def test_reasons_are_counted_for_all_and_comments_are_shown_to_those_who_may_change(service, sign_in):
    morning = service.newsletter()
    assert "Nobody said in the last 90 days why they left" in text(sign_in(Role.VIEWER).page(MORNING), "#left")
    with service.site.database.writing() as session:
        for number, (reason, comment) in enumerate(
            [(ReasonToLeave.TOO_MANY, None), (ReasonToLeave.TOO_MANY, None), (ReasonToLeave.OTHER, "<b>Moved</b>")]
        ):
            withdrawal = Withdrawal(b"%d" % number, morning.id, service.clock())
            leaving_reasons.give(session, service.site.keyring, withdrawal, reason, comment, now=service.clock())
    viewer, admin = sign_in(Role.VIEWER, "morning").page(MORNING), sign_in(Role.ADMIN, "morning").page(MORNING)
    assert text(viewer, "#left") == ["3 readers said why they left"]
    assert text(viewer, "section[aria-labelledby=left] dd") == ["2", "1"]
    assert "Moved" not in viewer.body.text()
    assert "<b>Moved</b>" in admin.css_first("section[aria-labelledby=left]").text()


def test_the_welcome_letter_is_shown_as_the_next_reader_gets_it(service, sign_in):
    service.newsletter(sends_welcome=True)
    desk = sign_in(Role.VIEWER, "morning")
    frames = [frame.attributes["src"] for frame in desk.page(MORNING).css("iframe")]
    assert f"/desk{MORNING}/preview/welcome" in frames
    letter = desk.get(f"{MORNING}/preview/welcome")
    assert "Welcome to The Morning Letter" in letter.text
    assert "sandbox" in letter.headers["content-security-policy"]

// On a sign-up page while sign-ups wait: ALTCHA's widget lets the browser do some arithmetic, and the form waits for it.
// Whatever fails here, the form can be sent; the letter then waits for its turn.
const place = document.querySelector("[data-challenge]");
const form = place.closest("form");
const RENEW_AFTER = 55 * 60 * 1000; // ms; a challenge expires after an hour

if (window.isSecureContext) { // elsewhere browsers offer no cryptography
  $altcha.i18n.set("own", { ...$altcha.i18n.get("en"), ...JSON.parse(place.dataset.words) });
  $altcha.algorithms.set("PBKDF2/SHA-256", () => new Worker(place.dataset.worker));
  $altcha.defaults.set({
    challenge: place.dataset.challenge,
    language: "own",
    type: "native",
    auto: "onfocus",
    hideLogo: true,
    hideFooter: true,
    humanInteractionSignature: false, // nothing about the visitor is recorded
    minDuration: 0,
    timeout: 20_000,
    workers: Math.min(4, navigator.hardwareConcurrency || 1),
  });
  const widget = document.createElement("altcha-widget");
  widget.ariaLive = "polite"; // its label says how far the arithmetic is
  place.append(widget);
  place.querySelector("[hidden]").hidden = false;
  // Whoever was in the form before the widget gives it no focus to begin with.
  setTimeout(() => { if (form.matches(":focus-within")) widget.verify(); });

  let waits = false; // the form was sent while the arithmetic went on; sent once more, it leaves at once
  form.addEventListener("submit", event => {
    if (waits || widget.getState() !== "verifying") return;
    event.preventDefault();
    waits = true;
  });
  widget.addEventListener("statechange", ({ detail }) => {
    if (detail.state === "verified") setTimeout(() => widget.reset(), RENEW_AFTER);
    if (waits && detail.state !== "verifying") setTimeout(() => form.requestSubmit()); // the widget fills in its field first
  });
}

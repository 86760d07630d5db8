// The sign-up box on a publisher's page: <newsletter-signup newsletter="slug">, or the script tag itself.
// It uses XMLHttpRequest because pages replace fetch and Promise; box_script fills in SERVICE, STYLES and form.js.
(() => {
  "use strict";
  const SERVICE = "", STYLES = "";
  const NAME = "newsletter-signup", KEY = Symbol.for(NAME), TIMEOUT_MS = 20000;
  const ATTRIBUTES = ["newsletter", "language", "look", "opener", "email", "remember"];
  const doc = document, current = doc.currentScript, closed = new Set(), forms = new Map();
  // Of each element its shadow root, the attributes with which its box was made, and what a press on its opener does.
  const boxes = new WeakMap(), hosts = new Set();
  // A visitor's comment with <img name="currentScript"> would be found in its place.
  const script = current instanceof HTMLScriptElement ? current : null;
  const warn = text => console.warn(`${NAME}: ${text}`);

  const first = window[KEY];
  if (first) {
    if (first.service !== SERVICE) warn(`This page already loads the box of ${first.service}; that of ${SERVICE} does nothing.`);
    else if (script && script.dataset.newsletter) first.place(script);
    else warn("This page loads embed.js twice. Once is enough.");
    return;
  }

  const make = (tag, properties, ...children) => {
    const element = Object.assign(doc.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // Call done(status, answer); the status is 0 if the service is out of reach or refuses to be read from this page.
  const request = (method, url, body, done) => {
    const call = new XMLHttpRequest();
    call.open(method, url);
    call.timeout = TIMEOUT_MS;
    call.setRequestHeader("Accept", "application/json");
    if (body) call.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
    call.onloadend = () => {
      let answer = null;
      // Without a prototype: a page's polluted one would choose where a visitor is led to.
      try { answer = Object.setPrototypeOf(JSON.parse(call.responseText), null); } catch { /* not the service's own answer */ }
      done(answer ? call.status : 0, answer);
    };
    call.send(body);
  };

  // Boxes of a page share one request for each form. A failed one is tried again by the next box.
  const load = (url, done) => {
    if (forms.has(url)) return forms.get(url)(done);
    const waiting = [done];
    let tell = other => waiting.push(other);
    forms.set(url, other => tell(other));
    request("GET", url, null, (status, answer) => {
      if (status !== 200) forms.delete(url);
      tell = other => other(status, answer);
      waiting.forEach(tell);
    });
  };

  let policy;
  const parsed = html => {
    const template = doc.createElement("template");
    if (window.trustedTypes && !policy) policy = trustedTypes.createPolicy(NAME, { createHTML: text => text });
    template.innerHTML = policy ? policy.createHTML(html) : html;
    return template.content;
  };

  let sheet;
  const styles = () => {
    if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(STYLES);
    return sheet;
  };

  const openerOf = (host, target) => {
    try { return host.getAttribute("look") === "dialog" && target.closest(host.getAttribute("opener")); } catch { return null; }
  };

  // A dialog that is on its way opens once it is there, if its opener was what the visitor used last. A link or a
  // form leads to its own page meanwhile, as without script.
  const LEADS_AWAY = "a[href]:not([href^='#'], [href^='javascript:']), "
    + ":is(form *, [form]):is(button:not([type=button], [type=reset]), [type=submit], [type=image])";
  let press = null;
  doc.addEventListener("input", () => { press = null; }, true);
  doc.addEventListener("click", event => {
    press = null;
    if (event.ctrlKey || event.metaKey) return;
    const away = event.composedPath().some(each => each instanceof Element && each.matches(LEADS_AWAY));
    if (!away) press = { target: event.target, at: event.timeStamp };
    for (const host of hosts) {
      if (!host.isConnected) hosts.delete(host);
      const pressed = host.isConnected && openerOf(host, event.target), known = boxes.get(host);
      if (!pressed || !known) continue;
      if (known.open) {
        event.preventDefault();  // of a link to our page, which works without script
        press = null;
        known.open(pressed);
      } else if (known.failed && !away) {
        known.made = null;  // try again
        guarded(host);
      }
    }
  }, true);

  const pressFor = host => {
    const pressed = press && performance.now() - press.at < TIMEOUT_MS && host.isConnected && openerOf(host, press.target);
    if (pressed) press = null;
    return pressed;
  };

  const rooted = host => {
    const root = host.attachShadow({ mode: "open" });
    root.append(make("slot"));
    root.adoptedStyleSheets = [styles()];
    // A page's keyboard shortcuts see the box, and not the field in it, so they would act on what is typed.
    for (const type of ["keydown", "keypress", "keyup"]) {
      root.addEventListener(type, event => { if (event.key && event.key.length === 1) event.stopPropagation(); });
    }
    return root;
  };

  // Make the box, again if an attribute has changed: an application uses one element for several of its pages.
  const start = host => {
    const made = ATTRIBUTES.map(name => host.getAttribute(name)).join("\n"), known = boxes.get(host) || {};
    if (known.made === made || !host.isConnected) return;
    boxes.set(host, Object.assign(known, { made, open: null, failed: false }));
    const slugs = (host.getAttribute("newsletter") || "").trim().split(/\s+/).join(",");
    if (known.root) known.root.replaceChildren(make("slot"));
    if (!slugs) return warn(`Say which newsletter: <${NAME} newsletter="...">`);
    const root = known.root ||= rooted(host);
    const near = host.closest("[lang]");
    const language = (host.getAttribute("language") || (near && near.lang) || "").replaceAll("_", "-");
    const url = `${SERVICE}/n/${slugs}/form` + (language ? `?language=${encodeURIComponent(language)}` : "");
    load(url, (status, form) => {
      if (known.made !== made) return;
      known.failed = status !== 200;
      try {
        if (known.failed) fail(host, root, slugs, status, form);
        else show(host, root, known, form, slugs);
      } catch (error) {
        Object.assign(known, { open: null, failed: true });
        root.replaceChildren(make("slot"));
        warn(`The box cannot be shown here (${error}). If the page has a policy of trusted types, it must allow "${NAME}".`);
      }
      const pressed = pressFor(host);
      if (!pressed) return;
      if (known.open) known.open(pressed);
      else if (form && form.page) location.assign(form.page);  // the service answers, so its own page works
    });
  };

  const tell = (host, what, slugs, reason) => host.dispatchEvent(new CustomEvent(`${NAME}:${what}`,
    { bubbles: true, composed: true, detail: { newsletter: slugs.replaceAll(",", " "), ...reason && { reason } } }));

  const fail = (host, root, slugs, status, answer) => {
    const said = answer && (answer.error || Object.values(answer.errors || {})[0]);
    warn(said || `${SERVICE} does not answer, so the page keeps its link.`);
    if (status === 404 && !answer.errors?.wording) root.replaceChildren();  // a link would lead nowhere
    tell(host, "failed", slugs, { 403: "site", 404: "gone" }[status] || "unreachable");
  };

  const show = (host, root, known, form, slugs) => {
    const look = host.getAttribute("look"), email = host.getAttribute("email"), words = form.words;
    const link = () => make("a", { href: form.page, textContent: words.page });
    const content = form.challenge
      ? make("div", {}, make("h2", { textContent: form.title }), make("p", { textContent: words.elsewhere }),
          make("a", { className: "button", textContent: words.page, href: email ? withEmail(form.page, email) : form.page }))
      : filled(form, email);
    const close = make("button", { type: "button", className: "close", ariaLabel: words.close, textContent: "×" });
    const box = make(look === "dialog" ? "dialog" : "div", { className: "box" }, content);
    box.lang = form.language;
    box.dir = form.direction;
    if (!CSS.supports("color", getComputedStyle(host).getPropertyValue("--brand").trim())) box.style.setProperty("--brand", form.brand);

    if (look === "dialog") {
      box.setAttribute("aria-label", form.title);
      box.append(close);  // the field comes first: it gets the focus
      close.onclick = () => box.close();
      try { doc.querySelector(host.getAttribute("opener") || ""); } catch { warn(`Say which button of the page opens the dialog: opener="#id"`); }
      known.open = opener => {
        box.showModal();
        box.onclose = () => opener.focus();
      };
    } else if (look === "bar") {
      if (isClosed(host, slugs)) return root.replaceChildren();
      bar(box, content, close, form);
      close.onclick = () => {
        closed.add(slugs);
        if (host.getAttribute("remember") === "session") try { sessionStorage[NAME + slugs] = 1; } catch { /* not allowed */ }
        root.replaceChildren();
      };
    }
    content.onsubmit = event => {
      event.preventDefault();
      send(host, content, form, slugs, link);
    };
    root.replaceChildren(box);
    tell(host, "shown", slugs);
  };

  const isClosed = (host, slugs) => {
    if (closed.has(slugs)) return true;
    try { return host.getAttribute("remember") === "session" && !!sessionStorage[NAME + slugs]; } catch { return false; }
  };

  // A strip that opens the form, so that the bar hides little of the page.
  const bar = (box, content, close, form) => {
    const open = make("button", { type: "button", textContent: form.words.open, ariaExpanded: "false" });
    const strip = make("div", { className: "strip" }, make("b", { textContent: form.title }), open);
    const panel = make("div", { className: "panel", hidden: true }, content);
    box.className = "box bar";
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", form.title);
    box.append(strip, panel, close);
    const toggle = shown => {
      strip.hidden = shown;
      panel.hidden = !shown;
      open.ariaExpanded = shown;
      (shown ? content.querySelector("input, a") : open).focus();
    };
    open.onclick = () => toggle(true);
    panel.onkeydown = event => { if (event.key === "Escape") toggle(false); };
  };

  // Where the script stands; in the head, at the end of the page.
  const place = script => {
    const link = make("a", { href: `${SERVICE}/n/${script.dataset.newsletter.trim().split(/\s/)[0]}`, textContent: script.dataset.link || "Newsletter" });
    const box = make(NAME, {}, link);
    for (const name of ATTRIBUTES) if (name in script.dataset) box.setAttribute(name, script.dataset[name]);
    if (!script.closest("head")) script.after(box);
    else if (doc.body) doc.body.append(box);
    else doc.addEventListener("DOMContentLoaded", () => doc.body.append(box));
  };

  // A moment later, so that a program can add the element first and its attributes after that.
  const guarded = host => {
    hosts.add(host);
    setTimeout(() => {
      try { start(host); } catch (error) { warn(`The box cannot be shown here: ${error}`); }
    });
  };

  try {
    customElements.define(NAME, class extends HTMLElement {
      static observedAttributes = ATTRIBUTES;
      connectedCallback() { guarded(this); }
      attributeChangedCallback() { guarded(this); }
    });
  } catch { /* the page has replaced it: see below */ }
  if (doc.createElement(NAME).constructor === HTMLElement) {
    const look = () => [...doc.getElementsByTagName(NAME)].forEach(guarded);
    new MutationObserver(look).observe(doc, { childList: true, subtree: true, attributeFilter: ATTRIBUTES });
    look();
  }
  window[KEY] = { service: SERVICE, place };
  if (script && script.dataset.newsletter) place(script);
})();

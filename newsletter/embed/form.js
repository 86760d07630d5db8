// The form in a box: what is filled in, sent and answered. box_script puts it into the function of embed.js.
// The exhibit exactly as it was kept; around it what changes: readers, hidden fields, what is entered.
const filled = (form, email) => {
  const content = make("form", { noValidate: true, method: "post", action: `${SERVICE}/subscribe` });
  if (form.words.count) content.append(make("p", { className: "count", textContent: form.words.count }));
  content.append(parsed(form.html));
  for (const [name, value] of Object.entries(form.fields)) {
    for (const each of [value].flat()) content.append(make("input", { type: "hidden", name, value: each }));
  }
  if (email) content.querySelector("[name=email]").value = email;
  return content;
};

const send = (host, content, form, slugs, link) => {
  const button = content.querySelector("button"), label = button.textContent;
  if (button.ariaBusy) return;
  content.querySelectorAll(".error, .told").forEach(each => each.remove());
  content.querySelectorAll("[aria-invalid]").forEach(each => {
    each.removeAttribute("aria-invalid");
    each.removeAttribute("aria-describedby");
  });
  const entered = new URLSearchParams(new FormData(content));
  if (/^http/.test(location.origin)) entered.set("page", location.origin + location.pathname);
  button.ariaBusy = "true";
  button.textContent = form.words.sending;
  request("POST", `${SERVICE}/subscribe`, String(entered), (status, answer) => {
    button.ariaBusy = null;
    button.textContent = label;
    if (status === 202) {
      done(content, form, answer);
      tell(host, "sent", slugs);
      if (answer.next && !answer.suggestion) location.assign(answer.next);  // a mistyped address is mended first
    } else {
      refused(content, form, status, answer, link);
      tell(host, "failed", slugs, { 403: "site", 422: "fields" }[status] || "unreachable");
    }
  });
};

const done = (content, form, answer) => {
  const told = make("div", { tabIndex: -1, role: "status" }, make("h2", { textContent: answer.title }),
    make("p", { className: "lead", textContent: answer.message }), make("p", { className: "soft", textContent: answer.hint }));
  // Back to the form, as it was filled in; the next sign-up names this one, so that only the corrected one counts.
  const back = (email, properties) => make("button", { type: "button", ...properties, onclick() {
    const field = content.querySelector("[name=email]"), former = content.querySelector("[name=replaces]");
    if (former) former.remove();
    if (answer.replaces) content.append(make("input", { type: "hidden", name: "replaces", value: answer.replaces }));
    if (email) field.value = email;
    told.replaceWith(content);
    field.focus();
  } });
  if (answer.suggestion) {
    told.append(make("p", { className: "mend", textContent: form.words.mistyped }),
      back(answer.suggestion, { dir: "ltr", textContent: answer.suggestion }));
  }
  told.append(make("p", { className: "again" }, back("", { className: "quiet", textContent: form.words.correct })));
  content.replaceWith(told);
  told.focus();
};

const refused = (content, form, status, answer, link) => {
  let wrong = false;
  const general = [];
  for (const [field, text] of Object.entries(status === 422 && answer.errors || {})) {
    const control = content.querySelector(`[name="${field}"]:not([type=hidden])`);
    if (!control) { general.push(text); continue; }
    const error = make("p", { id: `${field}-error`, className: "error", role: "alert", textContent: text });
    (control.closest("fieldset, label") || control).before(error);
    control.ariaInvalid = "true";
    control.setAttribute("aria-describedby", error.id);
    wrong = true;
  }
  if (general.length || !wrong) {
    const said = general.length ? general : status === 403 ? [answer.error] : [form.words.unreachable, form.words.again];
    const told = make("div", { className: "told", role: "alert", tabIndex: -1 },
      ...said.map((text, index) => make("p", { className: index ? "" : "error", textContent: text })), make("p", {}, link()));
    content.prepend(told);
    if (!wrong) return told.focus();
  }
  content.querySelector("[aria-invalid]").focus();  // the first as one reads
};

const withEmail = (page, email) => {
  const url = new URL(page);
  url.searchParams.set("email", email);
  return url.href;
};

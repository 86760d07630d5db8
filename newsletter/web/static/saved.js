// Articles that a reader keeps for later, in this browser only: the buttons beside articles, and the page that lists them.
// Where the browser refuses storage, there are no buttons.
"use strict";

const MOST = 500; // articles; a browser keeps a few megabytes for a site
const LONGEST = 500; // characters of a title or name
const root = document.querySelector("[data-saved-under]");
const key = `saved-articles${root.dataset.savedUnder}`; // two services under two paths of a host are apart

const isWebPage = url => {
  try {
    return ["http:", "https:"].includes(new URL(url).protocol);
  } catch {
    return false;
  }
};

const moment = at => (Math.abs(at) < 8.64e15 ? Number(at) : 0); // milliseconds; beyond it there is no date

// What is stored may have been written by anything else on this host.
const read = () => {
  let stored;
  try {
    stored = JSON.parse(localStorage.getItem(key));
  } catch {
    return [];
  }
  const known = (Array.isArray(stored) ? stored : []).filter(each => each && isWebPage(each.url)).slice(0, MOST);
  const text = value => String(value ?? "").slice(0, LONGEST);
  return known.map(({ url, title, language, from, at }) => (
    { url: new URL(url).href, title: text(title) || String(url), language: text(language), from: text(from), at: moment(at) }
  ));
};

// Returns whether there was room.
const write = articles => {
  if (articles.length > MOST) return false;
  try {
    localStorage.setItem(key, JSON.stringify(articles));
    return true;
  } catch {
    return false;
  }
};

// Refused storage cannot even be asked for, or keeps nothing. Full storage still has what was kept.
const canStore = () => {
  try {
    localStorage.setItem(`${key}:try`, "");
    localStorage.removeItem(`${key}:try`);
    return true;
  } catch {
    return read().length > 0;
  }
};

// A button beside each article of a letter.
const addButtons = template => {
  const rows = [];
  for (const item of document.querySelectorAll("[data-articles] > li")) {
    const link = item.querySelector("h3 a");
    if (!link || !isWebPage(link.href)) continue;
    const row = template.content.cloneNode(true).firstElementChild;
    const [button, list, problem] = row.children;
    const shows = isSaved => {
      button.setAttribute("aria-pressed", isSaved);
      list.hidden = !isSaved;
      problem.textContent = "";
    };
    link.id ||= `article-${rows.length + 1}`;
    button.id = `save-${rows.length + 1}`;
    button.setAttribute("aria-labelledby", `${button.id} ${link.id}`);
    button.addEventListener("click", () => {
      const others = read().filter(each => each.url !== link.href);
      const wasSaved = button.getAttribute("aria-pressed") === "true";
      const language = item.closest("[lang]").lang;
      const from = item.closest("[data-articles]").dataset.articles;
      const article = { url: link.href, title: link.textContent.trim(), language, from, at: Date.now() };
      if (write(wasSaved ? others : [article, ...others])) shows(!wasSaved);
      else problem.textContent = template.dataset.full;
    });
    item.append(row);
    rows.push({ url: link.href, shows });
  }
  return () => {
    const saved = new Set(read().map(each => each.url));
    for (const { url, shows } of rows) shows(saved.has(url));
  };
};

// The page that lists what is saved: the template of its state, in which the list has one item as a pattern.
const showState = (page, state) => {
  const template = document.querySelector(`template[data-state=${state}]`);
  page.replaceChildren(template.content.cloneNode(true));
};

const showList = page => {
  const day = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long" });

  const show = () => {
    const articles = read();
    showState(page, articles.length ? "list" : "empty");
    if (!articles.length) return;
    const list = page.querySelector("ul");
    const pattern = list.firstElementChild;
    list.replaceChildren(...articles.map((article, position) => drawn(pattern.cloneNode(true), article, position)));
    for (const button of page.querySelectorAll("[data-download]")) {
      button.addEventListener("click", () => download(button.dataset.download, document.title));
    }
    const dialog = page.querySelector("dialog");
    page.querySelector("[data-remove-all]").addEventListener("click", () => dialog.showModal());
    for (const button of dialog.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        dialog.close();
        if (button.value === "remove") keep([], 0);
      });
    }
  };
  const keep = (articles, position) => {
    write(articles);
    show();
    const buttons = page.querySelectorAll("li button");
    (buttons[position] ?? buttons[position - 1] ?? page.querySelector("h1")).focus();
  };
  const drawn = (item, article, position) => {
    const [link, button, from, time] = ["a", "button", "bdi", "time"].map(name => item.querySelector(name));
    Object.assign(link, { href: article.url, textContent: article.title, id: `article-${position}` });
    link.parentElement.lang = article.language;
    from.textContent = article.from;
    time.dateTime = new Date(article.at).toISOString();
    time.textContent = day.format(article.at);
    button.id = `remove-${position}`;
    button.setAttribute("aria-labelledby", `${button.id} ${link.id}`);
    button.addEventListener("click", () => keep(read().filter(each => each.url !== article.url), position));
    return item;
  };
  return show;
};

const escaped = text => text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`);

// A file of bookmarks, which every browser imports, or a plain list.
const FILES = {
  html: (articles, title) => ["text/html", [
    "<!DOCTYPE NETSCAPE-Bookmark-file-1>",
    '<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">',
    `<TITLE>${escaped(title)}</TITLE>`,
    `<H1>${escaped(title)}</H1>`,
    "<DL><p>",
    ...articles.map(each => (
      `<DT><A HREF="${escaped(each.url)}" ADD_DATE="${Math.floor(each.at / 1000)}">${escaped(each.title)}</A>`
    )),
    "</DL><p>",
  ]],
  txt: articles => ["text/plain", articles.flatMap(each => [each.title, each.url, ""])],
};

const download = (ending, title) => {
  const [type, lines] = FILES[ending](read(), title);
  const url = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: `${type};charset=utf-8` }));
  Object.assign(document.createElement("a"), { href: url, download: `saved-articles.${ending}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may still read it
};

if (canStore()) {
  const show = root.matches("template") ? addButtons(root) : showList(root);
  show();
  addEventListener("storage", show); // another tab has changed it
  addEventListener("pageshow", show); // a page from the cache of the back button
} else if (!root.matches("template")) {
  showState(root, "refused");
}

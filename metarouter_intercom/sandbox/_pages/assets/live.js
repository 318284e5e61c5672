// Keeps the page as the server would show it now: asks once a second whether anything was requested, and changes only what differs,
// so that focus, selection, scrolling and opened details stay. Elements with data-live are kept so; data-key tells items of a list
// apart; data-new="event|events" makes an added item known to screen readers.
"use strict";

(() => {
  const EVERY = 1000;
  const NEW = "is-new";
  const NEW_FOR = 2500;
  const news = document.getElementById("news");
  const button = document.getElementById("live");
  const word = button.querySelector("[data-word]");
  let mark = document.documentElement.dataset.mark;
  let timer = 0;
  let asking = false;

  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || node.id || "" : "");

  function copyAttributes(to, from) {
    for (const { name } of [...to.attributes]) {
      const ours = (name === "open" && to.nodeName === "DETAILS") || (name === "class" && to.classList.contains(NEW));
      if (!ours && !from.hasAttribute(name)) to.removeAttribute(name);
    }
    for (const { name, value } of from.attributes) {
      if (name === "class" && to.classList.contains(NEW)) continue;
      if (to.getAttribute(name) !== value) to.setAttribute(name, value);
    }
  }

  function change(now, then, added) {
    if (now.nodeType !== Node.ELEMENT_NODE) {
      if (now.nodeValue !== then.nodeValue) now.nodeValue = then.nodeValue;
      return;
    }
    copyAttributes(now, then);
    changeChildren(now, then, added);
  }

  function changeChildren(now, then, added) {
    const wanted = [...then.childNodes];
    const keys = new Set(wanted.map(keyOf).filter(Boolean));
    const known = new Map();
    for (const child of [...now.childNodes]) {
      const key = keyOf(child);
      if (key && keys.has(key)) known.set(key, child);
      else if (key) child.remove();
    }
    let here = now.firstChild;
    for (const node of wanted) {
      const key = keyOf(node);
      let same = key ? known.get(key) : null;
      if (!key && here && !keyOf(here) && here.nodeName === node.nodeName) same = here;
      if (same && same.nodeName === node.nodeName) {
        if (same === here) here = here.nextSibling;
        else now.insertBefore(same, here);
        change(same, node, added);
      } else {
        const made = document.importNode(node, true);
        now.insertBefore(made, here);
        if (made.nodeType === Node.ELEMENT_NODE) {
          added.push(...[made, ...made.querySelectorAll("[data-new]")].filter((one) => one.dataset.new));
        }
      }
    }
    while (here) {
      const next = here.nextSibling;
      here.remove();
      here = next;
    }
  }

  function tell(added) {
    const numbers = new Map();
    for (const one of added) {
      one.classList.add(NEW);
      window.setTimeout(() => one.classList.remove(NEW), NEW_FOR);
      numbers.set(one.dataset.new, (numbers.get(one.dataset.new) || 0) + 1);
    }
    const said = [...numbers].map(([words, number]) => {
      const [singular, plural] = words.split("|");
      return `${number} new ${number === 1 ? singular : plural}`;
    });
    if (said.length) news.textContent = said.join(", ");
  }

  function show(page) {
    const focused = document.activeElement;
    const added = [];
    for (const region of document.querySelectorAll("[data-live]")) {
      const then = page.getElementById(region.id);
      if (then) change(region, then, added);
    }
    if (document.title !== page.title) document.title = page.title;
    // What had the focus may be gone, with the row it stood in.
    if (focused && focused !== document.body && !focused.isConnected) document.getElementById("main").focus();
    tell(added);
  }

  async function look() {
    const answer = await fetch(window.location.href, { headers: { "If-None-Match": mark }, cache: "no-store" });
    if (answer.status === 304) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!page.documentElement.dataset.mark) return;
    show(page);
    mark = page.documentElement.dataset.mark;
  }

  function state(name, text) {
    button.dataset.state = name;
    if (word.textContent !== text) word.textContent = text;
  }

  async function go() {
    if (asking) return;
    window.clearTimeout(timer);
    if (button.getAttribute("aria-pressed") !== "true" || document.hidden) return;
    asking = true;
    try {
      await look();
      state("live", "Live");
    } catch {
      // The sandbox has ended, or is starting again.
      state("away", "No answer");
    }
    asking = false;
    timer = window.setTimeout(go, EVERY);
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    state(on ? "live" : "paused", on ? "Live" : "Paused");
    go();
  });
  document.addEventListener("visibilitychange", go);
  timer = window.setTimeout(go, EVERY);
})();

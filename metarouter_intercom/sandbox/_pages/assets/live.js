// Keeps the page up to date: asks the server once a second for a newer version and changes only what differs.
// An update never replaces, moves or removes what the reader is using: the focused element, selected text, an open <details>, or an
// element under a pressed mouse button. If the server no longer shows such an element, it stays until the reader leaves it.
// data-live marks the parts that are updated. data-key identifies an item among its siblings. data-new="event|events" announces an
// added item to screen readers.
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

  // The nodes that the reader is using, while an update is applied.
  let inUse = [];
  let latest = null;
  let isHeldBack = false;
  let settling = 0;

  const isElement = (node) => node.nodeType === Node.ELEMENT_NODE;
  const isOn = () => button.getAttribute("aria-pressed") === "true";
  const isInUse = (node) => inUse.some((used) => node.contains(used));

  function findInUse() {
    const selected = document.getSelection();
    const ends = selected.isCollapsed ? [] : [selected.anchorNode, selected.focusNode];
    const pressedOrOpen = document.querySelectorAll("[data-live] :active, [data-live] details[open]");
    return [document.activeElement, ...ends, ...pressedOrOpen].filter(Boolean);
  }

  function changeAttributes(now, then) {
    const isNew = now.classList.contains(NEW);
    // Only the reader opens and closes <details>.
    const isOurs = (name) => name === "open" && now.nodeName === "DETAILS";
    for (const { name } of [...now.attributes]) {
      if (!isOurs(name) && !then.hasAttribute(name)) now.removeAttribute(name);
    }
    for (const { name, value } of then.attributes) {
      if (!isOurs(name) && now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
    if (isNew) now.classList.add(NEW);
  }

  function changeText(now, then) {
    if (now.nodeValue === then.nodeValue) return;
    // Changing the text would end a selection that begins or ends in it.
    if (inUse.includes(now)) isHeldBack = true;
    else now.nodeValue = then.nodeValue;
  }

  function change(now, then, added) {
    if (now.isEqualNode(then)) return;
    if (!isElement(now)) {
      changeText(now, then);
      return;
    }
    changeAttributes(now, then);
    changeChildren(now, then, added);
  }

  // Nodes are matched by key, or by order if they have none.
  function kindOf(node) {
    const key = isElement(node) ? node.dataset.key || node.id : "";
    return `${node.nodeName} ${key}`;
  }

  function byKind(nodes) {
    const kinds = new Map();
    for (const node of nodes) {
      const kind = kindOf(node);
      if (kinds.has(kind)) kinds.get(kind).push(node);
      else kinds.set(kind, [node]);
    }
    return kinds;
  }

  function make(node, added) {
    const made = document.importNode(node, true);
    if (isElement(made)) {
      added.push(...[made, ...made.querySelectorAll("[data-new]")].filter((one) => one.dataset.new));
    }
    return made;
  }

  function changeChildren(now, then, added) {
    const old = [...now.childNodes];
    const known = byKind(old);
    const order = [];
    for (const node of then.childNodes) {
      const same = known.get(kindOf(node))?.shift();
      if (same) change(same, node, added);
      order.push(same ?? make(node, added));
    }
    const gone = new Set([...known.values()].flat());
    keepThoseInUse(old, gone, order);
    for (const node of gone) node.remove();
    arrange(now, order);
  }

  // Changes *order* so that no node in use has to move. A node that the server no longer shows stays next to its neighbour.
  function keepThoseInUse(old, gone, order) {
    let next = null;
    for (const [number, node] of [...old.entries()].reverse()) {
      if (gone.has(node) && isInUse(node)) {
        const previous = old.slice(0, number).findLast((one) => isElement(one) && !gone.has(one));
        // Without a neighbour, it comes first: indexOf returns -1.
        order.splice(next ? order.indexOf(next) : order.indexOf(previous) + 1, 0, node);
        gone.delete(node);
        isHeldBack = true;
      }
      if (isElement(node) && !gone.has(node)) next = node;
    }
    // Nodes in use keep their order relative to each other.
    const kept = old.filter((node) => !gone.has(node) && isInUse(node));
    const places = kept.map((node) => order.indexOf(node)).sort((one, other) => one - other);
    kept.forEach((node, number) => {
      if (order[places[number]] !== node) isHeldBack = true;
      order[places[number]] = node;
    });
  }

  // Puts the children of *parent* into this order. Moves few elements, and none that is in use.
  function arrange(parent, order) {
    let here = parent.firstChild;
    for (const node of order) {
      if (isElement(node) && node.parentNode === parent) {
        // Skipped text moves behind this element later, so that the element itself stays in place.
        while (here !== node && here?.nodeType === Node.TEXT_NODE && !isInUse(here)) here = here.nextSibling;
      }
      // So do the nodes between here and a node in use.
      if (node !== here && node.parentNode === parent && isInUse(node)) here = node;
      if (node === here) here = here.nextSibling;
      else parent.insertBefore(node, here);
    }
  }

  // Returns a function that scrolls back to what the reader was looking at: the focused element, or else the first item that begins
  // in the window. At the top of the page, new items may push the others down.
  function anchor() {
    const focused = document.activeElement?.closest("[data-live] *");
    const items = window.scrollY > 0 ? [...document.querySelectorAll("[data-live] [data-key]")] : [];
    const seen = [focused, ...items]
      .filter(Boolean)
      .map((one) => [one, one.getBoundingClientRect()])
      .filter(([, { top, bottom }]) => bottom > 0 && top < window.innerHeight);
    const begun = seen.filter(([one, { top }]) => top >= 0 || one === focused);
    // Of the items that begin above the window, the last one is the innermost.
    const marks = [...begun, ...seen.reverse()];
    return () => {
      const left = marks.find(([one]) => one.isConnected);
      if (!left) return;
      const [one, { top }] = left;
      window.scrollBy({ top: one.getBoundingClientRect().top - top, behavior: "instant" });
    };
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
    const added = [];
    const scrollBack = anchor();
    latest = page;
    isHeldBack = false;
    inUse = findInUse();
    for (const region of document.querySelectorAll("[data-live]")) {
      const then = page.getElementById(region.id);
      if (then) change(region, then, added);
    }
    inUse = [];
    if (document.title !== page.title) document.title = page.title;
    scrollBack();
    tell(added);
  }

  // Shows what was held back, once the reader has left it.
  function settle() {
    settling = 0;
    if (isHeldBack && isOn()) show(latest);
  }

  function onLeave() {
    if (isHeldBack && !settling) settling = window.setTimeout(settle, 0);
  }

  async function look() {
    const answer = await fetch(window.location.href, { headers: { "If-None-Match": mark }, cache: "no-store" });
    const text = await answer.text();
    // Paused meanwhile: the next look after the pause asks again.
    if (!isOn()) return;
    if (answer.status === 304) {
      settle();
      return;
    }
    const page = new DOMParser().parseFromString(text, "text/html");
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
    if (!isOn() || document.hidden) return;
    let isAnswered = true;
    asking = true;
    try {
      await look();
    } catch {
      // The sandbox has ended, or is starting again.
      isAnswered = false;
    }
    asking = false;
    if (!isOn()) return;
    state(isAnswered ? "live" : "away", isAnswered ? "Live" : "Disconnected");
    timer = window.setTimeout(go, EVERY);
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    const on = !isOn();
    button.setAttribute("aria-pressed", String(on));
    state(on ? "live" : "paused", on ? "Live" : "Paused");
    go();
  });
  document.addEventListener("focusout", onLeave);
  document.addEventListener("selectionchange", onLeave);
  document.addEventListener("toggle", onLeave, true);
  document.addEventListener("visibilitychange", go);
  timer = window.setTimeout(go, EVERY);
})();

/*
 * Making elements and changing them in place. Everything shown is set as text: nothing here reads HTML, so that a patient
 * name with a tag in it is a patient name with a tag in it.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element. `class`, `text` and `on` (event listeners) are special, everything else is an attribute; an attribute
 * of false, null or undefined is left out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined)} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = plain(value);
    else if (name === "on") {
      for (const [event, listener] of Object.entries(value)) {
        element.addEventListener(event, listener);
      }
    } else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child === null || child === undefined) continue;
    element.append(typeof child === "string" ? plain(child) : child);
  }
  return element;
}

/** Control characters, and those that turn the direction of writing round: they would change what is beside them. */
// deno-lint-ignore no-control-regex
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text with what cannot be seen made visible, so that it says no more than it shows. */
export function plain(text) {
  return String(text).replace(UNSEEN, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : "\ufffd";
  });
}

/** Sets a text where it differs: an unchanged one keeps the selection in it. */
export function setText(element, text) {
  const wanted = plain(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** Sets or removes an attribute where it differs. */
export function setAttribute(element, name, value) {
  if (value === false || value === null || value === undefined) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else {
    const wanted = value === true ? "" : String(value);
    if (element.getAttribute(name) !== wanted) element.setAttribute(name, wanted);
  }
}

/** Shows or hides. */
export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

/**
 * Brings the children of an element in line with a list: each keeps its element as long as its key is in the list, so that
 * focus, selection and scroll stay where they are.
 * @template Item
 * @param {Element} parent
 * @param {readonly Item[]} items
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => {element: Element, update: (item: Item) => void}} create
 */
export function keyed(parent, items, keyOf, create) {
  const rows = keyedRows.get(parent) ?? new Map();
  keyedRows.set(parent, rows);
  const wanted = new Set(items.map(keyOf));
  for (const [key, row] of rows) {
    if (wanted.has(key)) continue;
    row.element.remove();
    rows.delete(key);
  }
  let before = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let row = rows.get(key);
    if (row === undefined) {
      row = create(item);
      rows.set(key, row);
    }
    if (row.element === before) before = before.nextElementSibling;
    else parent.insertBefore(row.element, before);
    row.update(item);
  }
}

/** @type {WeakMap<Element, Map<string, any>>} */
const keyedRows = new WeakMap();

/** Paths of the icons, on 24 by 24. Each state has a shape of its own: none is told by its colour alone. */
const ICONS = {
  up:
    "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm5 7.600-6.200 6.900-3.700-3.600 1.400-1.500 2.200 2.100 4.800-5.300Z",
  down:
    "M7.900 2h8.200L22 7.900v8.200L16.100 22H7.900L2 16.100V7.900Zm.7 5.200L7.200 8.600l3.400 3.400-3.400 3.400 1.400 1.400 3.400-3.400 3.400 3.400 1.400-1.400-3.400-3.400 3.400-3.400-1.400-1.400-3.400 3.400Z",
  misconfigured:
    "M12 2.500 23 21.500H1Zm-1.100 6.900.3 5.800h1.600l.3-5.800Zm1.100 6.800a1.200 1.200 0 1 0 0 2.400 1.200 1.200 0 0 0 0-2.400Z",
  paused:
    "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20ZM8.300 7.500h2.600v9H8.300Zm4.800 0h2.600v9h-2.600Z",
  untried:
    "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm0 2a8 8 0 1 1 0 16 8 8 0 0 1 0-16Zm-4.500 7h9v2h-9Z",
  queued:
    "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm0 2a8 8 0 1 1 0 16 8 8 0 0 1 0-16Zm-1 3v5.600l4.200 2.500 1-1.700L13 11.500V7Z",
  failed:
    "M12 2.500 23 21.500H1Zm-1.100 6.900.3 5.800h1.600l.3-5.800Zm1.100 6.800a1.200 1.200 0 1 0 0 2.400 1.200 1.200 0 0 0 0-2.400Z",
  held: "M6 10V8a6 6 0 1 1 12 0v2h1.500v11.500h-15V10Zm2.200 0h7.600V8a3.800 3.800 0 0 0-7.600 0Z",
  theme: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm0 2.200v15.600a7.800 7.800 0 0 1 0-15.600Z",
  close:
    "m5.700 4.300 6.300 6.300 6.300-6.300 1.400 1.400-6.300 6.300 6.300 6.300-1.400 1.400-6.300-6.300-6.300 6.300-1.400-1.400 6.300-6.300-6.300-6.300Z",
  overview: "M3 3h8v10H3Zm10 0h8v6h-8ZM3 15h8v6H3Zm10-4h8v10h-8Z",
  studies:
    "M4 3h16v14H4Zm2 2v10h12V5Zm-1 14h14v2H5Zm6-12a3 3 0 1 0 0 6 3 3 0 0 0 0-6Zm3.200 5.200 2.300 2.300-1 1-2.300-2.300Z",
  queue: "M3 4h18v4H3Zm0 6h18v4H3Zm0 6h11v4H3Z",
  log: "M5 2h9l5 5v15H5Zm2 2v16h10V8h-4V4Zm2 7h6v1.600H9Zm0 3.500h6v1.600H9Z",
  settings:
    "M4 5h8.300a3 3 0 0 1 5.400 0H20v2h-2.300a3 3 0 0 1-5.400 0H4Zm0 6h1.300a3 3 0 0 1 5.400 0H20v2h-9.300a3 3 0 0 1-5.400 0H4Zm0 6h9.300a3 3 0 0 1 5.400 0H20v2h-1.300a3 3 0 0 1-5.400 0H4Z",
  about:
    "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm0 2a8 8 0 1 1 0 16 8 8 0 0 1 0-16Zm-1 3v2.200h2.100V7Zm0 4v6.200h2.100V11Z",
};

/**
 * An icon, for the eye only: the word stands beside it.
 * @param {string} name
 * @returns {any}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  setIcon(svg, name);
  return svg;
}

/** Changes which icon it is. */
export function setIcon(svg, name) {
  setAttribute(svg.firstElementChild, "d", ICONS[name] ?? ICONS.about);
}

/** A button; `kind` is a class: `primary`, `danger`, `quiet`. */
export function button(label, onClick, kind = "", attributes = {}) {
  return h("button", {
    type: "button",
    class: `button ${kind}`,
    text: label,
    on: { click: onClick },
    ...attributes,
  });
}

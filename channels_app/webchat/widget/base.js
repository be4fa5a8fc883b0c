// Small things that every part needs.

const LATEST = 100;
const MOST_CHARACTERS = 4096;

/** Give 128 random bits in base64url. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

/**
 * Wait; with each further failure twice as long, up to half a minute, and never all at the same time.
 * @param {number} failures
 */
function backoff(failures) {
  return Math.min(30_000, 1000 * 2 ** Math.min(failures, 5)) * (0.5 + Math.random() / 2);
}

/** @param {number} milliseconds */
function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * Make an element. Text only ever becomes text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | boolean | null>} [attributes] a null or false one is left out
 * @param {(Node | string | null)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/**
 * Draw an icon of lines in a square of 24.
 * @param {string} path
 */
function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

const ICONS = {
  chat: "M21 12a8.5 8.5 0 0 1-12.6 7.4L3.5 20.5l1.2-4.4A8.5 8.5 0 1 1 21 12Z",
  down: "m6 9.5 6 6 6-6",
  close: "m6.5 6.5 11 11m0-11-11 11",
  send: "M12 19V5m-6 6 6-6 6 6",
  picture:
    "M6.5 4h11A2.5 2.5 0 0 1 20 6.5v11a2.5 2.5 0 0 1-2.5 2.5h-11A2.5 2.5 0 0 1 4 17.5v-11A2.5 2.5 0 0 1 6.5 4Z" +
    "m-2 13.2 4.6-4.7 3.4 3.4 2.6-2.6 4.6 4.6M15.3 9v.01",
};

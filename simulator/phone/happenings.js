// The list of webhooks and calls as they pass.

import { attempt, byId, make } from "./make.js";
import { forgetRequests, get } from "./wire.js";

const MOST = 300;
const LONGEST = 600;
const NAMES = { openai: "Service → OpenAI", graph: "Service → Meta", webhook: "Meta → service" };
const shown = new Map();

/** Take everything anew. */
export function load(requests) {
  shown.clear();
  byId("requests").replaceChildren();
  requests.forEach(add);
  note();
}

/** Show a request that began or ended. */
export function add(request) {
  const known = shown.get(request.seq);
  if (known) known.querySelector("summary").replaceChildren(...line(request));
  else {
    const item = draw(request);
    shown.set(request.seq, item);
    byId("requests").prepend(item);
    if (shown.size > MOST) {
      const [oldest, element] = shown.entries().next().value;
      shown.delete(oldest);
      element.remove();
    }
  }
  note();
}

function draw(request) {
  const item = make("li", { "data-api": request.api });
  const details = make("details", {}, make("summary", {}, ...line(request)));
  details.addEventListener("toggle", () => details.open && attempt(() => open(details, request)));
  item.append(details);
  item.hidden = !isWanted(request.api);
  return item;
}

function line({ t, api, label, status, milliseconds, note: why }) {
  const code = status ?? (milliseconds === null ? "…" : "—");
  const kind = milliseconds === null ? "open" : status >= 200 && status < 300 ? "" : "bad";
  const took = milliseconds === null ? "" : milliseconds < 10000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
  const when = new Date(t * 1000).toLocaleTimeString([], { hourCycle: "h23" });
  return [
    make("span", { class: "when" }, when),
    make("span", { class: "what" }, make("span", { class: `api ${api}` }, NAMES[api]), make("span", { class: "label" }, label), why ? make("span", { class: "why" }, why) : null),
    make("span", { class: `code ${kind}` }, String(code)),
    make("span", { class: "took" }, took),
  ];
}

async function open(details, { seq, about }) {
  const [entry] = await get(`/_simulator/requests?since_seq=${seq - 1}&limit=1`);
  details.querySelector(".request-more")?.remove();
  if (!entry || entry.seq !== seq) return;
  const headers = Object.entries(entry.headers).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
  const body = entry.body === null ? "(no JSON body)" : JSON.stringify(entry.body, shortened, 2);
  details.append(make("div", { class: "request-more" }, about ? make("p", {}, about) : null, make("div", { class: "path" }, `${entry.method} ${entry.path}`), make("dl", {}, ...headers), make("pre", { tabindex: "0" }, body)));
}

function shortened(_key, value) {
  return typeof value === "string" && value.length > LONGEST ? `${value.slice(0, LONGEST)}… (${value.length} characters)` : value;
}

const isWanted = (api) => document.querySelector(`.filters input[name="${api}"]`).checked;

function filter() {
  for (const item of shown.values()) item.hidden = !isWanted(item.dataset.api);
  note();
}

function note() {
  byId("nothing").hidden = shown.size > 0;
}

/** Make filters and the clear button work. */
export function start() {
  for (const box of document.querySelectorAll(".filters input")) box.addEventListener("change", filter);
  byId("clear").addEventListener("click", () => attempt(async () => {
    await forgetRequests();
    load([]);
  }));
}

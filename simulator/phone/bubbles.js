// Draws messages.

import { clock, icon, make } from "./make.js";

const WHO = { customer: "You", business: "Business", person: "Business, from the app" };
const SAID = {
  customer: { sent: "On its way to the webhook", taken: "Delivered: the webhook answered 200", read: "Read: the service posted a read receipt" },
  business: { accepted: "Accepted by Meta", sent: "Sent", delivered: "Delivered", read: "Read" },
  person: { sent: "On its way to the webhook", taken: "The service was told", read: "Read" },
};
const TICKS = { accepted: "clock", sent: "tick", taken: "ticks", delivered: "ticks", read: "ticks", refused: "alert", failed: "alert" };
const KINDS = { image: "Picture", voice: "Voice note", audio: "Sound", video: "Video", document: "Document", sticker: "Sticker", location: "Location", contacts: "Contact", story: "Story reply" };
// What each bubble shows beside its state.
const drawn = new WeakMap();

export const who = (message) => WHO[message.side];

/** A message in one line. */
export function summary(message) {
  if (message.is_deleted) return "Deleted";
  return message.text || KINDS[message.kind] || message.kind;
}

/** Draw a message; `all` are the chat's, for quotes, and `acts` what pressing things does. */
export function draw(message, all, acts) {
  const item = make("div", { class: `bubble ${message.side}`, "data-id": message.id });
  update(item, message, all, acts);
  return item;
}

/** Draw a message again; what did not change stays, so that nobody hears it twice. */
export function update(item, message, all, acts) {
  const { state, note, reactions, ...told } = message;
  const now = JSON.stringify(told);
  if (drawn.get(item) !== now) {
    drawn.set(item, now);
    item.classList.toggle("deleted", message.is_deleted);
    item.replaceChildren(body(message, all, acts), ...options(message, acts), make("div", { class: "foot" }), more(message, all, acts));
  }
  item.querySelector(".ticks").replaceChildren(ticks(message));
  const emojis = Object.values(reactions);
  item.classList.toggle("has-reactions", emojis.length > 0);
  item.querySelector(".foot").replaceChildren(
    ...(emojis.length ? [make("div", { class: "reactions", role: "img", "aria-label": `Reactions: ${emojis.join(" ")}` }, ...emojis)] : []),
    ...(note ? [make("p", { class: "note" }, note)] : []),
    ...(message.side === "person" && state === "taken" ? [make("p", { class: "told" }, "The AI now leaves this customer to people, until somebody resumes it in the admin.")] : []),
  );
}

function body(message, all, acts) {
  const { header, footer } = (message.kind === "interactive" && message.content) || {};
  const text = message.is_deleted ? "This message was deleted" : message.text;
  return make(
    "div",
    { class: "body" },
    message.side === "person" ? make("div", { class: "from" }, "A person, from the app") : null,
    make("span", { class: "unseen" }, `${who(message)}: `),
    quote(message, all, acts),
    message.is_deleted ? null : content(message),
    header?.text ? make("b", {}, header.text) : null,
    text ? make("div", { class: "words" }, text) : null,
    footer?.text ? make("small", {}, footer.text) : null,
    make("div", { class: "meta" }, message.edits ? "edited" : null, make("time", {}, clock(message.at)), make("span", { class: "ticks" })),
  );
}

function ticks(message) {
  const said = message.note || SAID[message.side][message.state] || message.state;
  const name = TICKS[message.state] || "tick";
  const isRound = name === "clock" || name === "alert";
  const classes = `tick${isRound ? " round" : ""}${message.state === "read" ? " is-read" : ""}${name === "alert" ? " is-bad" : ""}`;
  return make("span", { role: "img", "aria-label": said, title: said, "data-state": message.state }, icon(name, { class: classes }));
}

function quote(message, all, acts) {
  if (!message.reply_to || message.is_deleted) return null;
  const quoted = all.get(message.reply_to);
  const words = quoted ? summary(quoted) : "An earlier message";
  return make("button", { type: "button", class: "quote", onclick: () => acts.show(message.reply_to) }, make("b", {}, quoted ? who(quoted) : "Quote"), words);
}

function content(message) {
  const about = message.content || {};
  if (message.kind === "story") return card("story", "Reply to a story", about.url);
  if (message.kind === "location") return card("pin", about.name || "Location", [about.address, `${about.latitude}, ${about.longitude}`].filter(Boolean).join(" · "));
  if (message.kind === "contacts") return card("person", about[0]?.name?.formatted_name, about[0]?.phones?.[0]?.phone);
  if (message.kind === "interactive" && message.side === "customer") return make("div", { class: "from" }, "Pressed");
  const source = address(about);
  if (!source) return KINDS[message.kind] ? card("file", KINDS[message.kind], about.filename) : null;
  if (message.kind === "image" || message.kind === "sticker") return picture(source, message);
  if (message.kind === "voice" || message.kind === "audio") return make("audio", { controls: true, preload: "metadata", src: source, "aria-label": KINDS[message.kind] });
  if (message.kind === "video") return make("video", { controls: true, preload: "metadata", src: source });
  return make("a", { class: "card", href: source, download: about.filename || "document" }, icon("file"), make("span", {}, make("b", {}, about.filename || "Document"), make("small", {}, about.mime_type || "")));
}

/** Where a file can be looked at: only ever at the simulator itself. */
function address(about) {
  const found = /[?&]asset_id=([\w-]+)/.exec(about.url || "");
  const id = about.id || (found && found[1]);
  return id ? `/_simulator/phone/media?id=${encodeURIComponent(id)}` : "";
}

function picture(source, message) {
  return make("a", { class: "picture", href: source, target: "_blank", rel: "noopener" }, make("img", { src: source, alt: message.text || "Picture", loading: "lazy" }));
}

function card(name, title, more) {
  return make("div", { class: "card" }, icon(name), make("span", {}, make("b", {}, title || ""), make("small", {}, more || "")));
}

/** The buttons under a message of the business, each with the answer that pressing it gives. */
function options(message, acts) {
  const found = message.is_deleted || message.side === "customer" ? [] : offered(message);
  if (!found.length) return [];
  const buttons = found.map(({ words, answer, rows }) => make("button", { type: "button", onclick: () => (rows ? acts.pick(words, rows) : acts.answer(answer)) }, words));
  return [make("div", { class: "options" }, ...buttons)];
}

function offered(message) {
  const about = message.content || {};
  const reply_to = message.id;
  if (message.kind === "interactive" && about.type === "button") {
    return (about.action?.buttons || []).map(({ reply }) => ({ words: reply.title, answer: { kind: "button", id: reply.id, title: reply.title, reply_to } }));
  }
  if (message.kind === "interactive" && about.type === "list") {
    const rows = (about.action?.sections || []).flatMap((section) => section.rows || []);
    return [{ words: about.action?.button || "Choose", rows: rows.map((row) => ({ ...row, reply_to })) }];
  }
  if (message.kind === "quick_replies") {
    return about.map((one) => ({ words: one.title, answer: { kind: "quick_reply", text: one.title, payload: one.payload } }));
  }
  return [];
}

function more(message, all, acts) {
  if (message.is_deleted) return make("span");
  return make("button", { type: "button", class: "icon more", "aria-haspopup": "dialog", "aria-label": `Options for: ${summary(message).slice(0, 60)}`, onclick: () => acts.menu(all.get(message.id)) }, icon("more"));
}

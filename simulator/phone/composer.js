// Sends: texts, files, places, answers, and what can be done to a message.

import { attempt, byId, make, notice } from "./make.js";
import { ask, choose } from "./dialogs.js";
import { summary, who } from "./bubbles.js";
import { current, place } from "./store.js";
import { deliver, upload } from "./wire.js";
import { record } from "./recorder.js";

const EMOJIS = ["👍", "❤️", "😂", "😮", "😢", "🙏"];
const MOST_BYTES = 16 * 1024 * 1024;
let quoted = null;
let recording = null;

export const byBusiness = () => document.querySelector('input[name="side"]:checked').value === "person";

/** Do some things in the open chat; a quote goes with the first of them. */
export function send(...items) {
  const chat = current();
  if (!chat) return null;
  if (quoted && !["reaction", "edit", "delete", "quick_reply", "story"].includes(items[0].kind)) items[0] = { ...items[0], reply_to: quoted.id };
  quote(null);
  return attempt(async () => {
    const outcome = await deliver(chat, items, byBusiness());
    if (outcome.status !== 200) notice(`The webhook at ${outcome.webhook_url} ${outcome.status ? `answered ${outcome.status}` : "does not answer"}; it is tried again for a minute.`);
  });
}

/** Reply to a message, or to none. */
export function quote(message) {
  quoted = message;
  byId("quoting").hidden = !message;
  if (!message) return;
  byId("quoting-who").textContent = who(message);
  byId("quoting-text").textContent = summary(message);
  byId("draft").focus();
}

/** Offer what can be done to a message. */
export function menu(message) {
  const dialog = byId("actions-sheet");
  const isOwn = message.side === "customer" && !byBusiness();
  const mine = message.reactions.customer;
  const close = (work) => () => {
    dialog.close();
    work();
  };
  byId("emojis").hidden = byBusiness();
  byId("emojis").replaceChildren(
    ...EMOJIS.map((emoji) => make("button", { type: "button", "aria-pressed": String(emoji === mine), "aria-label": emoji === mine ? `Take ${emoji} back` : `React with ${emoji}`, onclick: close(() => send({ kind: "reaction", message_id: message.id, emoji: emoji === mine ? "" : emoji })) }, emoji)),
  );
  const deeds = {
    reply: () => quote(message),
    delete: () => send({ kind: "delete", message_id: message.id }),
    edit: async () => {
      const answer = await ask("Edit", [{ name: "text", label: "Message", kind: "long", value: message.text }], "Save");
      if (answer) send({ kind: "edit", message_id: message.id, text: answer.text });
    },
  };
  for (const button of dialog.querySelectorAll("[data-do]")) {
    button.onclick = close(deeds[button.dataset.do]);
    button.hidden = button.dataset.do !== "reply" && (!isOwn || (button.dataset.do === "edit" && message.kind !== "text"));
  }
  dialog.showModal();
}

/** Answer by one of the rows the business offered. */
export async function pick(title, rows) {
  const row = await choose(title, rows);
  if (row) send({ kind: "row", id: row.id, title: row.title, ...(row.description ? { description: row.description } : {}), reply_to: row.reply_to });
}

async function file(blob, kind, filename) {
  if (blob.size > MOST_BYTES) return notice("That is more than WhatsApp takes (16 MB).");
  const media_id = await attempt(() => upload(blob));
  if (!media_id) return null;
  const draft = byId("draft");
  const hasCaption = place.app === "whatsapp" && kind !== "voice" && draft.value.trim();
  const caption = hasCaption ? { caption: draft.value.trim() } : {};
  if (hasCaption) draft.value = "";
  return send({ kind, media_id, ...(kind === "document" && place.app === "whatsapp" ? { filename } : {}), ...caption });
}

async function sample(name, type, kind) {
  const response = await attempt(() => fetch(`/phone/${name}`));
  if (response) await file(new Blob([await response.arrayBuffer()], { type }), kind, name);
}

function choosing(accept, kind) {
  const input = byId("file");
  input.accept = accept;
  input.value = "";
  input.onchange = () => input.files[0] && file(input.files[0], kind, input.files[0].name);
  input.click();
}

async function asked(title, kind, fields) {
  const answer = await ask(title, fields);
  if (answer) await send({ kind, ...answer });
}

const SENDING = {
  picture: () => choosing("image/png,image/jpeg,image/webp", "image"),
  document: () => choosing("", "document"),
  "sample-picture": () => sample("sample.png", "image/png", "image"),
  "sample-voice": () => sample("sample.ogg", "audio/ogg", "voice"),
  "sample-document": () => sample("sample.pdf", "application/pdf", "document"),
  location: () =>
    asked("Location", "location", [
      { name: "name", label: "Name", value: "Café Centro", optional: true },
      { name: "address", label: "Address", value: "Av. Juárez 1, CDMX", optional: true },
      { name: "latitude", label: "Latitude", kind: "number", value: "19.4326" },
      { name: "longitude", label: "Longitude", kind: "number", value: "-99.1332" },
    ]),
  contact: () =>
    asked("Contact", "contact", [
      { name: "name", label: "Name", value: "Marta Gil" },
      { name: "phone", label: "Phone", value: "+1 202 555 0199" },
    ]),
  choice: async () => {
    const answer = await ask("Answer as a button", [
      { name: "kind", label: "What is pressed", options: [["button", "A button"], ["row", "A row of a list"]] },
      { name: "title", label: "Words on it", value: "Saturday" },
      { name: "id", label: "Its id", value: "book-sat", optional: true },
      { name: "description", label: "Description (rows only)", optional: true },
    ]);
    if (!answer) return;
    if (answer.kind === "button") delete answer.description;
    await send(answer);
  },
  "quick-reply": () =>
    asked("Answer as a quick reply", "quick_reply", [
      { name: "text", label: "Words on it", value: "Saturday" },
      { name: "payload", label: "Payload", value: "BOOK_SAT", optional: true },
    ]),
  story: () =>
    asked("Reply to a story", "story", [
      { name: "text", label: "Message", value: "Is that rye?" },
      { name: "url", label: "Address of the story", value: "https://example.com/story.jpg", optional: true },
    ]),
  burst: async () => {
    const answer = await ask("Burst: each line is a message, all in one webhook", [{ name: "lines", label: "Messages", kind: "long", value: "Hello!\nDo you bake rye bread?\nAnd what does a loaf cost?" }]);
    const lines = (answer?.lines || "").split("\n").filter((line) => line.trim());
    if (lines.length) await send(...lines.map((text) => ({ kind: "text", text })));
  },
};

async function startRecording() {
  recording = await attempt(record);
  if (!recording) return;
  const start = Date.now();
  showRecording(true);
  recording.timer = setInterval(() => {
    const seconds = Math.floor((Date.now() - start) / 1000);
    byId("recorded").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }, 250);
}

async function stopRecording(isSent) {
  const mine = recording;
  recording = null;
  clearInterval(mine.timer);
  showRecording(false);
  if (!isSent) return mine.drop();
  const blob = await attempt(() => mine.stop());
  return blob && file(blob, "voice");
}

function showRecording(isOn) {
  byId("recorded").textContent = "0:00";
  byId("recording").hidden = !isOn;
  byId("composer").hidden = isOn;
}

function offer() {
  for (const button of byId("attach-sheet").querySelectorAll("[data-send]")) {
    const { only, side } = button.dataset;
    button.hidden = (only && only !== place.app) || (side === "customer" && byBusiness());
  }
  byId("attach-sheet").showModal();
}

/** Make the composer work. */
export function start() {
  const draft = byId("draft");
  const grow = () => {
    draft.style.height = "auto";
    draft.style.height = `${draft.scrollHeight + 2}px`;
  };
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = draft.value.trim();
    draft.value = "";
    grow();
    if (text) send({ kind: "text", text });
    draft.focus();
  });
  draft.addEventListener("input", grow);
  draft.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      byId("composer").requestSubmit();
    }
  });
  byId("attach").addEventListener("click", offer);
  for (const button of byId("attach-sheet").querySelectorAll("[data-send]")) {
    button.addEventListener("click", () => {
      byId("attach-sheet").close();
      SENDING[button.dataset.send]();
    });
  }
  byId("no-quote").addEventListener("click", () => quote(null));
  byId("record").addEventListener("click", startRecording);
  byId("send-recording").addEventListener("click", () => stopRecording(true));
  byId("drop-recording").addEventListener("click", () => stopRecording(false));
}

// The phone: two apps, each with its customers and the chat of one of them.

import { attempt, byId, clock, make } from "./make.js";
import { draw, summary, update } from "./bubbles.js";
import { ask } from "./dialogs.js";
import * as composer from "./composer.js";
import * as happenings from "./happenings.js";
import * as store from "./store.js";
import * as switches from "./switches.js";
import { get, listen } from "./wire.js";

const acts = { menu: composer.menu, pick: composer.pick, answer: (item) => composer.send(item), show: (id) => bubble(id)?.scrollIntoView({ block: "center" }) };
// Events that come while everything is being looked at are kept for afterwards.
let waiting = null;
let typingTimer;

const bubble = (id) => [...byId("log").children].find((item) => item.dataset.id === id);
const initials = (name) => (name.match(/\p{L}|\p{N}/gu) || ["?"])[0].toUpperCase();
const handle = (chat) => (chat.channel === "instagram" ? chat.customer : chat.customer.includes(".") ? chat.customer : `+${chat.customer}`);

function isTyping(chat) {
  return chat.typingUntil > Date.now();
}

function showAll() {
  const chat = store.current();
  document.body.dataset.app = store.place.app;
  for (const button of document.querySelectorAll("[data-switch]")) button.setAttribute("aria-pressed", String(button.dataset.switch === store.place.app));
  byId("list-screen").hidden = Boolean(chat);
  byId("chat-screen").hidden = !chat;
  byId("list-title").textContent = store.place.app === "whatsapp" ? "WhatsApp" : "Instagram";
  showList();
  if (chat) showChat(chat);
}

function showList() {
  const mine = [...store.chats.values()].filter((chat) => chat.channel === store.place.app);
  mine.sort((one, other) => (store.newest(other)?.at || 0) - (store.newest(one)?.at || 0));
  byId("chats").replaceChildren(...mine.map(row));
}

function row(chat) {
  const last = store.newest(chat);
  const words = isTyping(chat) ? "typing…" : last ? summary(last) : "Nothing written yet";
  const name = chat.name || handle(chat);
  return make(
    "li",
    {},
    make(
      "button",
      { type: "button", onclick: () => openChat(chat) },
      make("span", { class: "avatar", "aria-hidden": "true" }, initials(name)),
      make("b", {}, name),
      make("time", {}, last ? clock(last.at) : ""),
      make("span", { class: isTyping(chat) ? "last is-typing" : "last" }, words),
    ),
  );
}

function openChat(chat) {
  store.go(chat.channel, chat.id);
  composer.quote(null);
  showAll();
  byId("draft").focus();
}

function showChat(chat) {
  const isDefault = chat.number === store.numbers.whatsapp && store.numbers.shown;
  byId("chat-title").textContent = chat.channel === "instagram" ? "The business" : isDefault ? `The business, +${store.numbers.shown}` : "The business";
  byId("chat-title").title = `Number ${chat.number}`;
  const log = byId("log");
  log.setAttribute("aria-live", "off");
  const messages = [...chat.messages.values()];
  log.replaceChildren(...(messages.length ? messages.map((message) => draw(message, chat.messages, acts)) : [empty()]));
  requestAnimationFrame(() => log.setAttribute("aria-live", "polite"));
  showTyping(chat);
  log.scrollTop = log.scrollHeight;
}

const STARTERS = ["Hi! Do you bake rye bread?", "I'm Ana Ruiz, ana@example.com. A cake for Saturday, please!"];

function empty() {
  const starters = STARTERS.map((text) => make("button", { type: "button", onclick: () => composer.send({ kind: "text", text }) }, text));
  return make("div", { class: "empty" }, make("p", {}, "Write something, or begin with:"), ...starters);
}

function showMessage(chat, message) {
  const log = byId("log");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 120;
  const known = bubble(message.id);
  if (known) update(known, message, chat.messages, acts);
  else {
    log.querySelector(".empty")?.remove();
    log.append(draw(message, chat.messages, acts));
    while (log.children.length > 200) log.firstElementChild.remove();
  }
  if (isAtEnd || (!known && message.side === "customer")) log.scrollTop = log.scrollHeight;
}

function showTyping(chat) {
  clearTimeout(typingTimer);
  const isOn = isTyping(chat);
  const who = chat.name ? `You are ${chat.name}` : "You are the customer";
  byId("typing").classList.toggle("is-on", isOn);
  byId("typing-words").textContent = isOn ? "The business is typing" : "";
  byId("chat-sub").textContent = isOn ? "typing…" : `${who} · ${handle(chat)}`;
  if (isOn) typingTimer = setTimeout(() => store.current() && showTyping(store.current()), chat.typingUntil - Date.now() + 50);
}

/** Whoever looks at the end of a chat goes on doing so, however its room shrinks. */
function stayAtEnd() {
  const log = byId("log");
  let isAtEnd = true;
  log.addEventListener("scroll", () => (isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60));
  new ResizeObserver(() => isAtEnd && (log.scrollTop = log.scrollHeight)).observe(log);
  // Pictures come after their bubbles.
  log.addEventListener("load", () => isAtEnd && (log.scrollTop = log.scrollHeight), true);
}

function happened(kind, told) {
  if (kind === "request") happenings.add(told);
  else if (kind === "behaviour") switches.show(told);
  else if (kind === "chat") {
    const chat = store.change(told);
    if (chat !== store.current()) return showList();
    if (told.message) showMessage(chat, told.message);
    showTyping(chat);
  }
  return null;
}

async function reload() {
  waiting = [];
  const [told, requests] = await Promise.all([get("/_simulator/phone/chats"), get("/_simulator/phone/requests")]);
  await switches.refresh(told.usual_latency);
  store.load(told);
  happenings.load(requests);
  // Whoever has begun need not be told where to.
  byId("guide").open = ![...store.chats.values()].some(store.newest);
  const late = waiting;
  waiting = null;
  showAll();
  late.forEach(([kind, event]) => happened(kind, event));
}

function onEvent(kind, told) {
  if (kind === "hello" || kind === "reset") attempt(reload);
  else if (waiting) waiting.push([kind, told]);
  else happened(kind, told);
}

async function newCustomer() {
  const isWhatsApp = store.place.app === "whatsapp";
  const answer = await ask(
    "New customer",
    [
      ...(isWhatsApp ? [{ name: "name", label: "Name", value: "" }] : []),
      isWhatsApp ? { name: "id", label: "Phone number", kind: "tel", value: `+1 202 555 01${String(Math.floor(Math.random() * 100)).padStart(2, "0")}` } : { name: "id", label: "Username" },
      { name: "number", label: "The business's number id", value: store.numbers[store.place.app] },
    ],
    "Start",
  );
  if (!answer) return;
  const name = isWhatsApp ? answer.name : answer.id.replace(/^@/, "");
  const customer = isWhatsApp ? answer.id.replace(/\D/g, "") : store.instagramId(name);
  if (customer) openChat(store.meet({ channel: store.place.app, customer, name, number: answer.number }));
}

function drawers() {
  for (const id of ["switches", "happenings"]) {
    const opener = byId(`show-${id}`);
    const drawer = byId(id);
    const show = (isOpen) => {
      drawer.classList.toggle("is-open", isOpen);
      opener.setAttribute("aria-expanded", String(isOpen));
      (isOpen ? drawer.querySelector(".close") : opener).focus();
    };
    opener.addEventListener("click", () => show(!drawer.classList.contains("is-open")));
    drawer.querySelector(".close").addEventListener("click", () => show(false));
    drawer.addEventListener("keydown", (event) => event.key === "Escape" && drawer.classList.contains("is-open") && show(false));
  }
}

function start() {
  composer.start();
  switches.start();
  happenings.start();
  drawers();
  stayAtEnd();
  byId("new-chat").addEventListener("click", newCustomer);
  byId("back").addEventListener("click", () => {
    store.go(store.place.app, null);
    showAll();
    byId("new-chat").focus();
  });
  for (const button of document.querySelectorAll("[data-switch]")) {
    button.addEventListener("click", () => {
      store.go(button.dataset.switch, store.place.open[button.dataset.switch]);
      composer.quote(null);
      showAll();
    });
  }
  const tick = () => (byId("clock").textContent = clock(Date.now() / 1000));
  tick();
  setInterval(tick, 10000);
  listen(onEvent, (isUp) => (byId("lost").hidden = isUp));
}

start();

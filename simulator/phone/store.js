// What the page knows: the simulator's chats, and the customers this browser remembers.

const PEOPLE = "phone.people";
const PLACE = "phone.place";
const FIRST = [
  { channel: "whatsapp", customer: "12025550143", name: "Lucía Fernández" },
  { channel: "whatsapp", customer: "12025550177", name: "Marco Rossi" },
  { channel: "instagram", customer: "8123456789012345", name: "lucia.bakes" },
];

export const chats = new Map();
export const place = remembered(PLACE, { app: "whatsapp", open: { whatsapp: null, instagram: null } });
export const numbers = { whatsapp: "", instagram: "", shown: "" };

/** Take everything anew from the simulator. */
export function load(told) {
  const wanted = new URLSearchParams(location.search);
  numbers.whatsapp = wanted.get("whatsapp") || told.whatsapp.number;
  numbers.instagram = wanted.get("instagram") || told.instagram.number;
  numbers.shown = told.whatsapp.shown;
  chats.clear();
  for (const person of remembered(PEOPLE, FIRST)) meet(person, false);
  for (const { messages, ...chat } of told.chats) {
    const mine = known(chat);
    for (const message of messages) mine.messages.set(message.id, message);
  }
}

/** Take one change from the simulator, and give the chat it is about. */
export function change({ chat, message }) {
  const mine = known(chat);
  if (message) {
    mine.messages.set(message.id, message);
    while (mine.messages.size > 200) mine.messages.delete(mine.messages.keys().next().value);
  }
  return mine;
}

/** Add a customer, and remember them in this browser. */
export function meet({ channel, customer, name, number }, isNew = true) {
  const chat = { channel, customer, name, number: number || numbers[channel], typing_seconds: 0 };
  chat.id = `${chat.channel}:${chat.number}:${chat.customer}`;
  const mine = known(chat);
  if (isNew) {
    mine.name = name;
    const people = remembered(PEOPLE, FIRST).filter((one) => one.channel !== channel || one.customer !== customer);
    remember(PEOPLE, [{ channel, customer, name, number }, ...people].slice(0, 200));
  }
  return mine;
}

/** The open chat, if there is one. */
export const current = () => chats.get(place.open[place.app]) || null;

export function go(app, chatId) {
  place.app = app;
  place.open[app] = chatId;
  remember(PLACE, place);
}

export function newest(chat) {
  return [...chat.messages.values()].at(-1) || null;
}

/** Make an Instagram id of a username: the same for the same one, of digits as Meta's are. */
export function instagramId(username) {
  let hash = 0xcbf29ce484222325n;
  for (const character of username) {
    hash = ((hash ^ BigInt(character.codePointAt(0))) * 0x100000001b3n) & 0xffffffffffffffffn;
  }
  return `8${(hash % 10n ** 15n).toString().padStart(15, "0")}`;
}

function known(chat) {
  const mine = chats.get(chat.id) || { messages: new Map(), name: "" };
  const until = Date.now() + chat.typing_seconds * 1000;
  Object.assign(mine, chat, { name: chat.name || mine.name, typingUntil: until });
  chats.set(chat.id, mine);
  return mine;
}

function remembered(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(key)) || otherwise;
  } catch {
    return otherwise;
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing can still be written with.
  }
}

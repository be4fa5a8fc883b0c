// Speaks with the simulator.

export async function get(path) {
  return answered(await fetch(path, { cache: "no-store" }));
}

export async function post(path, document) {
  return answered(await fetch(path, { method: "POST", body: JSON.stringify(document) }));
}

export async function forgetRequests() {
  return answered(await fetch("/_simulator/requests", { method: "DELETE" }));
}

/** Register a file and give its id. */
export async function upload(blob) {
  const data = await base64(blob);
  return (await post("/_simulator/media", { mime_type: blob.type || "application/octet-stream", data })).id;
}

/** Do something in a chat: as its customer, or as a person at the business. */
export async function deliver(chat, messages, byBusiness = false) {
  const isNumber = chat.channel === "instagram" || !chat.customer.includes(".");
  const plus = chat.channel === "whatsapp" ? "+" : "";
  const sender = isNumber ? { from: plus + chat.customer } : { user_id: chat.customer };
  return post("/_simulator/deliver", {
    ...sender,
    channel: chat.channel,
    phone_number_id: chat.number,
    name: chat.name,
    messages,
    by_business: byBusiness,
    retry: true,
  });
}

/** Call back with every event, and whether the line is up, for as long as the page is open. */
export function listen(onEvent, onLine) {
  const source = new EventSource("/_simulator/phone/events");
  for (const kind of ["hello", "chat", "request", "behaviour", "reset"]) {
    source.addEventListener(kind, (event) => onEvent(kind, JSON.parse(event.data)));
  }
  source.addEventListener("open", () => onLine(true));
  source.addEventListener("error", () => {
    onLine(false);
    // The browser gives up by itself when the answer was not a stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(onEvent, onLine), 2000);
  });
}

async function answered(response) {
  const document = await response.json();
  if (!response.ok) throw new Error(document.error || `The simulator answered ${response.status}`);
  return document;
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

// What was said, as far as this tab knows it, each message once and in the order of the server.

/**
 * Keep the messages and the place up to which they are known.
 * @param {ReturnType<typeof openMemory>} memory
 * @param {(fresh: Message[]) => void} onChange told of changes, with messages that are new here
 */
function openLog(memory, onChange) {
  let known = nothing();
  let isKeeping = false;

  /** @returns {{messages: Message[], cursor: string}} */
  function nothing() {
    return { messages: [], cursor: "" };
  }

  /** What this browser has kept; whatever other scripts of the page have written there is nothing. */
  function kept() {
    /** @type {ReturnType<typeof nothing>} */
    const found = memory.get("log");
    const isOurs = Array.isArray(found?.messages) && typeof found.cursor === "string";
    return isOurs && found.messages.every((one) => typeof one?.text === "string") ? found : nothing();
  }

  function restore() {
    known = kept();
  }

  /**
   * Take messages in as the server gives them, in order.
   * @param {Message[]} messages @param {string} [cursor] up to where all is known now
   */
  function take(messages, cursor) {
    const places = new Map(known.messages.map((message, n) => [message.id, n]));
    /** @type {Message[]} */
    const fresh = [];
    for (const message of messages) {
      const place = places.get(message.id);
      const before = place === undefined ? null : known.messages[place];
      if (place !== undefined && before) {
        // What we know to be read stays so, whatever was on its way meanwhile.
        const isRead = before.status === "read" && message.status === "sent";
        known.messages[place] = isRead ? { ...message, status: "read" } : message;
      } else {
        places.set(message.id, known.messages.length);
        known.messages.push(message);
        fresh.push(message);
      }
    }
    if (cursor) known.cursor = cursor;
    if (messages.length) onChange(fresh);
    keep();
  }

  /** Begin anew. */
  function forget() {
    known = nothing();
    memory.remove("log");
    onChange([]);
  }

  /** Note that all replies are read. @returns {boolean} whether any was not */
  function markRead() {
    const unread = known.messages.filter((message) => message.status === "sent");
    for (const message of unread) message.status = "read";
    if (unread.length) {
      onChange([]);
      keep();
    }
    return unread.length > 0;
  }

  /** Take over what was read in another tab. */
  function readElsewhere() {
    const ids = new Set(kept().messages.flatMap((one) => (one.status === "read" ? [one.id] : [])));
    const read = known.messages.filter((message) => message.status === "sent" && ids.has(message.id));
    for (const message of read) message.status = "read";
    if (read.length) onChange([]);
  }

  function keep() {
    if (isKeeping) return;
    isKeeping = true;
    setTimeout(() => {
      isKeeping = false;
      if (!known.cursor) return;
      known.messages = known.messages.slice(-LATEST);
      // Both or none: a place without its messages would leave a gap.
      if (!memory.set("log", known)) memory.remove("log");
    }, 100);
  }

  return {
    restore,
    take,
    forget,
    markRead,
    readElsewhere,
    messages: () => known.messages,
    cursor: () => known.cursor,
    unread: () => known.messages.filter((message) => message.status === "sent").length,
  };
}

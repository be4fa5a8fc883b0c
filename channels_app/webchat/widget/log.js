// What was said, as far as this tab knows it, each message once and in the order of the server.

/**
 * Keep the messages and the place up to which they are known.
 * @param {ReturnType<typeof openMemory>} memory
 * @param {(fresh: Message[]) => void} onChange told of changes, with messages that are new here
 */
function openLog(memory, onChange) {
  /** @type {{messages: Message[], cursor: string}} */
  let known = { messages: [], cursor: "" };
  let isKeeping = false;

  function restore() {
    const found = memory.get("log");
    if (found && Array.isArray(found.messages) && typeof found.cursor === "string") known = found;
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
    known = { messages: [], cursor: "" };
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

  /** @param {Set<string>} ids of messages that were read in another tab */
  function readElsewhere(ids) {
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

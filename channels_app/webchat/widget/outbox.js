// What the visitor wrote and the server has not shown yet: kept in this browser, sent in order and once.

const SHOWN_WITHIN = 10 * 60 * 1000;
const GIVEN_UP_AFTER = 3 * 24 * 3600 * 1000;
const LOOK_AGAIN = 5000;

/**
 * Queue and send.
 * @param {{base: string, memory: ReturnType<typeof openMemory>, sessions: ReturnType<typeof openSessions>,
 *   onChange: () => void, onSent: () => void, onNotice: (word: keyof Words | null) => void}} parts
 */
function openOutbox({ base, memory, sessions, onChange, onSent, onNotice }) {
  let failures = 0;
  let count = 0;
  let isFlushing = false;
  let isAskedAgain = false;
  let timer = 0;

  /** @returns {[string, Draft][]} by their keys, in order */
  function entries() {
    return memory.names("out:").flatMap((key) => {
      const draft = memory.get(key);
      // Other scripts of the page can write there too.
      return draft?.id && draft.at > 0 ? [/** @type {[string, Draft]} */ ([key, draft])] : [];
    });
  }

  /** @param {string} text @param {Picture | null} picture */
  function add(text, picture) {
    const id = newId();
    const at = Date.now();
    // A picture too large to be kept makes its message this tab's own.
    const isHere = !!picture && !memory.set(`picture:${id}`, picture);
    const place = `${String(at).padStart(14, "0")}-${String(count++).padStart(6, "0")}`;
    /** @type {Draft} */
    const draft = { id, text, at, has_picture: !!picture, is_here: isHere, state: "sending" };
    memory.set(`out:${place}-${id}`, draft, isHere);
    onChange();
    void flush();
  }

  /** @param {string} key @param {Draft} draft @param {Partial<Draft>} changes */
  function change(key, draft, changes) {
    // Gone: the server has shown it meanwhile.
    if (!memory.get(key)) return;
    memory.set(key, { ...draft, ...changes }, draft.is_here);
    onChange();
  }

  /** @param {string} key @param {string} id */
  function drop(key, id) {
    memory.remove(key);
    memory.remove(`picture:${id}`);
  }

  /** Send what waits, unless another tab is at it. */
  async function flush() {
    clearTimeout(timer);
    if (isFlushing) {
      isAskedAgain = true;
      return;
    }
    isFlushing = true;
    let pause = 0;
    try {
      do {
        isAskedAgain = false;
        pause = await memory.alone("outbox", sendAll);
      } while (isAskedAgain && !pause);
    } finally {
      isFlushing = false;
    }
    if (pause) later(pause);
  }

  /** @param {number} milliseconds */
  function later(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(() => void flush(), milliseconds);
  }

  /** @returns {Promise<number>} after how many milliseconds to try again; 0: all is sent */
  async function sendAll() {
    for (const [key, draft] of entries()) {
      if (draft.state === "sent" && Date.now() - draft.at > SHOWN_WITHIN) drop(key, draft.id);
      if (draft.state === "sent" || draft.state === "failed") continue;
      if (Date.now() - draft.at > GIVEN_UP_AFTER) {
        change(key, draft, { state: "failed", reason: "not_sent" });
        continue;
      }
      try {
        await send(key, draft);
        failures = 0;
        onNotice(null);
        onSent();
      } catch (refusal) {
        if (!(refusal instanceof Refusal)) throw refusal;
        const pause = refused(key, refusal);
        if (pause) return pause;
      }
    }
    onChange();
    return 0;
  }

  /** @param {string} key @param {Refusal} refusal @returns {number} how long to wait; 0: go on with the next */
  function refused(key, refusal) {
    const draft = memory.get(key);
    if (!draft) return 0;
    if (refusal.code === "throttled") {
      onNotice("busy");
      return refusal.seconds * 1000 + Math.random() * 1000;
    }
    const isOver = refusal.status === 402 || refusal.status === 429;
    if (!isOver && (refusal.isPassing || refusal.status === 401)) {
      change(key, draft, { state: "waiting", reason: "waiting" });
      return backoff(failures++);
    }
    /** @type {keyof Words} */
    let reason = "not_sent";
    const isPicture = draft.has_picture && !draft.file_id;
    if (isOver) reason = isPicture ? "picture_limit" : "unavailable";
    else if (refusal.status === 403 || refusal.status === 404) reason = "blocked";
    else if (isPicture) reason = "bad_picture";
    change(key, draft, { state: "failed", reason });
    return 0;
  }

  /** @param {string} key @param {Draft} draft @throws {Refusal} */
  async function send(key, draft) {
    let token = await sessions.token();
    try {
      await post(key, draft, token);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.status === 401) token = await sessions.renew(token);
      else if (refusal.code !== "file_unknown") throw refusal;
      // A picture belongs to the visitor who sent it, and is not kept for ever without its message.
      await post(key, { ...draft, file_id: "" }, token);
    }
  }

  /** @param {string} key @param {Draft} draft @param {string} token @throws {Refusal} */
  async function post(key, draft, token) {
    let sent = draft;
    const picture = draft.has_picture && !draft.file_id ? memory.get(`picture:${draft.id}`) : null;
    if (draft.has_picture && !draft.file_id) {
      if (!picture) throw new Refusal(400);
      const asked = { method: "POST", token, body: asBlob(picture), seconds: 60 };
      sent = { ...draft, file_id: (await ask(`${base}files`, asked)).file_id };
      change(key, sent, {});
    }
    const json = {
      message_id: sent.id,
      text: sent.text,
      sent_at: new Date(sent.at).toISOString(),
      ...(sent.file_id ? { file_id: sent.file_id } : {}),
    };
    await call(`${base}messages`, { method: "POST", token, json });
    change(key, sent, { state: "sent" });
  }

  /** Try a message again now. @param {string} id */
  function retry(id) {
    for (const [key, draft] of entries()) {
      if (draft.id === id && draft.state !== "sent") change(key, draft, { state: "sending", at: Date.now() });
    }
    void flush();
  }

  /** Forget messages that the server shows. @param {Message[]} messages */
  function settle(messages) {
    const shown = new Set(messages.map((message) => message.client_id));
    for (const [key, draft] of entries()) if (shown.has(draft.id)) drop(key, draft.id);
  }

  function forget() {
    for (const [key, draft] of entries()) drop(key, draft.id);
    onChange();
  }

  /** Another tab changed the queue: send it from here, should that one be closed. */
  function noticed() {
    onChange();
    if (!isFlushing) later(LOOK_AGAIN + Math.random() * LOOK_AGAIN);
  }

  /** @returns {Draft[]} */
  const drafts = () => entries().map(([, draft]) => draft);

  /** @param {string} id @returns {Picture | null} */
  const picture = (id) => memory.get(`picture:${id}`);

  return { add, flush, retry, settle, forget, noticed, drafts, picture };
}

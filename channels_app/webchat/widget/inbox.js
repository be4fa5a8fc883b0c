// What the server has to tell, as it happens: an event stream, and where none gets through, asking.

const CONNECTS_WITHIN = 15;
// The server sends a heartbeat every 20 seconds.
const SILENT_FOR = 50_000;
const DOUBTFUL_AFTER = 25_000;
const POLL_EVERY = 4000;
const ASLEEP_AFTER = 5 * 60 * 1000;
const PAGES_AT_ONCE = 50;

/**
 * Follow the visitor's messages, from where they are known.
 * @param {{base: string, eventsUrl: string, sessions: ReturnType<typeof openSessions>,
 *   log: ReturnType<typeof openLog>, onState: (state: State) => void, onTyping: (seconds: number) => void,
 *   onLine: (line: Line) => void}} parts
 */
function openInbox({ base, eventsUrl, sessions, log, onState, onTyping, onLine }) {
  let isStarted = false;
  let failures = 0;
  let heardAt = 0;
  let hiddenAt = 0;
  let stop = new AbortController();
  /** @type {() => void} */
  let wake = () => {};

  /** Begin, or go on at once where it waits. */
  function start() {
    if (!isStarted) {
      isStarted = true;
      setInterval(look, 5000);
      setInterval(() => void poll(), POLL_EVERY);
      void follow();
    }
    wake();
  }

  const isAsleep = () => hiddenAt > 0 && Date.now() - hiddenAt > ASLEEP_AFTER;

  /** Cut a line that has gone silent, and one that nobody looks at. */
  function look() {
    if (document.hidden) hiddenAt ||= Date.now();
    else hiddenAt = 0;
    if (isAsleep() || Date.now() - heardAt > SILENT_FOR) stop.abort();
  }

  async function follow() {
    for (;;) {
      if (isAsleep() || !navigator.onLine) {
        await nap(3_600_000);
        continue;
      }
      if (failures || !heardAt) onLine("connecting");
      let token = "";
      try {
        token = await sessions.token();
        if (!log.cursor()) await catchUp(token);
        await listen(token);
        failures = 0;
        // It ended as it does every quarter of an hour.
        await nap(Math.random() * 1000);
      } catch (problem) {
        const error = problem instanceof Refusal ? problem : new Refusal(0);
        if (error.status === 403 || error.status === 404) {
          onLine("blocked");
          return;
        }
        if (error.status === 401 && token) await sessions.renew(token).catch(() => {});
        const isCut = error.status === 0 && stop.signal.aborted;
        failures += isCut && heardAt ? 0 : 1;
        if (failures) onLine(navigator.onLine ? "connecting" : "offline");
        const pause = error.status === 429 ? error.seconds * 1000 : backoff(failures - 1);
        await nap(isCut ? 100 : pause);
      }
    }
  }

  /** Wait, at most so long. @param {number} milliseconds */
  function nap(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }

  /** @param {string} token @throws {Refusal} */
  async function listen(token) {
    stop = new AbortController();
    heardAt = Date.now();
    /** @type {Record<string, string>} */
    const headers = { Accept: "text/event-stream" };
    if (log.cursor()) headers["Last-Event-ID"] = log.cursor();
    const asked = { token, headers, signal: stop.signal, seconds: CONNECTS_WITHIN };
    const response = await call(eventsUrl, asked);
    if (!response.body || !response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      throw new Refusal(0, "no_stream");
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const read = readEvents(heard);
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        heardAt = Date.now();
        failures = 0;
        onLine("good");
        read(part.value);
      }
    } catch {
      throw new Refusal(0);
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  /** @param {string} kind @param {string} data @param {string} id */
  function heard(kind, data, id) {
    if (stop.signal.aborted) return;
    let told;
    try {
      told = JSON.parse(data);
    } catch {
      return;
    }
    if (kind === "message") log.take([told], id);
    else if (kind === "state") onState(told);
    else if (kind === "typing") onTyping(Number(told.seconds) || 0);
  }

  /** Read what is new by asking. @param {string} token @throws {Refusal} */
  async function catchUp(token) {
    for (let n = 0; n < PAGES_AT_ONCE; n++) {
      const after = log.cursor();
      const query = after ? `?after=${encodeURIComponent(after)}` : "";
      /** @type {Page} */
      const page = await ask(`${base}messages${query}`, { token });
      // Another visitor's by now, or the stream was faster.
      if (log.cursor() !== after || sessions.kept()?.token !== token) return;
      log.take(page.messages, page.cursor);
      onState(page.state);
      if (!page.has_more) return;
    }
  }

  /** Ask while the stream does not get through. */
  async function poll() {
    if (failures < 2 || isAsleep() || !navigator.onLine) return;
    const token = sessions.kept()?.token;
    if (!token) return;
    try {
      await catchUp(token);
      // What became of messages known here is in the newest ones only.
      const isOpen = log.messages().some((message) => message.status === "received");
      if (isOpen) log.take((await ask(`${base}messages`, { token })).messages);
      onLine("good");
    } catch {
      // The stream's loop tells what is wrong.
    }
  }

  /** Read what there is, once. @throws {Refusal} */
  async function glance() {
    await catchUp(await sessions.token());
  }

  /** Connect anew, because the line may have died while nobody looked. @param {boolean} [isSure] that it has */
  function refresh(isSure = false) {
    look();
    if (isSure || Date.now() - heardAt > DOUBTFUL_AFTER) stop.abort();
    wake();
  }

  return { start, glance, refresh };
}

/**
 * Read server-sent events out of pieces of text.
 * @param {(kind: string, data: string, id: string) => void} told
 * @returns {(piece: string) => void}
 */
function readEvents(told) {
  let rest = "";
  let kind = "message";
  let id = "";
  /** @type {string[]} */
  let data = [];
  return (piece) => {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (!line) {
        if (data.length) told(kind, data.join("\n"), id);
        kind = "message";
        id = "";
        data = [];
        continue;
      }
      const [, name, value = ""] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (name === "event") kind = value;
      else if (name === "data") data.push(value);
      else if (name === "id") id = value;
    }
  };
}

// Puts the parts together.

const THINKS_FOR = 30_000;

/**
 * Run the chat.
 * @param {{config: Config, memory: ReturnType<typeof openMemory>, base: string, isPage: boolean,
 *   locale: string | undefined, position: string, identity: Identity | null}} parts
 */
function run({ config, memory, base, isPage, locale, position, identity }) {
  const words = { ...WORDS, ...config.texts };
  /** @type {State} */
  let state = { is_available: config.is_available, is_paused: false };
  /** @type {Line} */
  let line = "good";
  let lineSince = 0;
  /** @type {keyof Words | null} */
  let notice = null;
  let typingUntil = 0;
  /** How many messages of others are not drawn yet. */
  let news = 0;
  let readUpTo = "";
  let isRendering = false;
  let timer = 0;

  const sessions = openSessions({ base, memory, onOther: other });
  const log = openLog(memory, changed);
  const outbox = openOutbox({ base, memory, sessions, onChange: render, onSent: sent, onNotice: note });
  const inbox = openInbox({
    base,
    eventsUrl: new URL(config.events_url, base).href,
    sessions,
    log,
    onState: (told) => {
      state = told;
      render();
    },
    onTyping: (seconds) => {
      typingUntil = Date.now() + seconds * 1000;
      render();
    },
    onLine: (told) => {
      if (line !== told) lineSince = Date.now();
      line = told;
      render();
    },
  });
  const onEnlarge = (/** @type {Blob} */ blob) => void panel.enlarge(blob);
  const onRetry = (/** @type {string} */ id) => {
    panel.rest();
    outbox.retry(id);
  };
  const rows = openRows({ words, locale, loadPicture, onRetry, onEnlarge });
  const placeholder = config.placeholder || words.placeholder;
  const composer = openComposer({ words, placeholder, onSend: send, onNotice: note });
  const looks = { config, words, isPage, position, locale };
  const panel = openPanel({ ...looks, rows: rows.element, composer, onToggle: toggled });

  /** @param {keyof Words | null} word */
  function note(word) {
    notice = word;
    render();
  }

  /** @param {string} text @param {Picture | null} picture */
  function send(text, picture) {
    outbox.add(text, picture);
    draw();
    panel.follow(true, 0);
  }

  function sent() {
    inbox.start();
    render();
  }

  /** @param {Message[]} fresh */
  function changed(fresh) {
    outbox.settle(log.messages());
    const last = log.messages().at(-1)?.status;
    const isOver = last === "failed" || last === "unavailable";
    const others = fresh.filter((message) => message.from !== "visitor").length;
    if (isOver || others) typingUntil = 0;
    news += others;
    render();
  }

  /** Another visitor from now on. @param {boolean} isStranger */
  function other(isStranger) {
    if (isStranger) {
      outbox.forget();
      composer.clear();
    }
    readUpTo = "";
    typingUntil = 0;
    log.forget();
    inbox.refresh(true);
  }

  /** @param {boolean} isOpen */
  function toggled(isOpen) {
    inTab("open", isOpen ? "1" : "");
    if (isOpen && sessions.kept()) inbox.start();
    draw();
  }

  function render() {
    if (isRendering) return;
    isRendering = true;
    queueMicrotask(() => {
      isRendering = false;
      draw();
    });
  }

  function draw() {
    const shown = allRows();
    const before = rows.element.childElementCount;
    rows.show(shown);
    if (rows.element.childElementCount > before) panel.follow(false, news);
    news = 0;
    const [text, tone] = stateText();
    panel.showState(text, tone);
    panel.showNotice(noticeText());
    panel.showTyping(isThinking(shown.at(-1)));
    panel.showUnread(log.unread());
    markRead();
    clearTimeout(timer);
    // What depends on the time: dots that end, a line that stays away.
    if (typingUntil > Date.now() || line !== "good" || isThinking(shown.at(-1))) timer = setTimeout(render, 1000);
  }

  /** @returns {Row[]} */
  function allRows() {
    /** @type {Row[]} */
    const made = [];
    const plain = { picture: null, note: "", isBad: false, retry: null };
    if (config.welcome_text) made.push({ ...plain, key: "welcome", from: "ai", text: config.welcome_text, at: 0 });
    const messages = log.messages();
    const seen = new Set(messages.map((message) => message.client_id));
    for (const message of messages) {
      const isBad = message.status === "failed" || message.status === "unavailable";
      made.push({
        ...plain,
        key: message.client_id ?? message.id,
        from: message.from,
        text: message.text,
        at: Date.parse(message.at) || Date.now(),
        picture: message.image?.file_id ?? null,
        note: message.status === "failed" || message.status === "unavailable" ? words[message.status] : "",
        isBad,
      });
    }
    for (const draft of outbox.drafts()) {
      if (seen.has(draft.id)) continue;
      const isBad = draft.state === "failed" || draft.state === "waiting";
      made.push({
        ...plain,
        key: draft.id,
        from: "visitor",
        text: draft.text,
        at: draft.at,
        picture: draft.has_picture ? draft.id : null,
        note: words[draft.state === "failed" ? (draft.reason ?? "not_sent") : draft.state],
        isBad,
        retry: isBad ? draft.id : null,
      });
    }
    return made;
  }

  /** @param {Row | undefined} last */
  function isThinking(last) {
    if (typingUntil > Date.now()) return true;
    if (!last || last.from !== "visitor" || last.isBad || state.is_paused || !state.is_available) return false;
    const draft = outbox.drafts().at(-1);
    const isSent = draft ? draft.state === "sent" : log.messages().at(-1)?.status === "received";
    return isSent && Math.abs(Date.now() - last.at) < THINKS_FOR;
  }

  /** @returns {[string, "good" | "away" | "off"]} */
  function stateText() {
    if (line === "offline" || !navigator.onLine) return [words.offline, "off"];
    if (line === "connecting" && Date.now() - lineSince > 3000) return [words.connecting, "off"];
    if (!state.is_available && !state.is_paused) return [words.away, "away"];
    if (state.is_paused) return [words.person, "good"];
    return [config.subtitle || words.online, "good"];
  }

  function noticeText() {
    if (line === "blocked") return words.blocked;
    if (notice) return words[notice];
    if (!navigator.onLine) return words.offline_notice;
    return state.is_available || state.is_paused ? "" : words.unavailable_notice;
  }

  /** Tell that replies are read, once they are seen. */
  function markRead() {
    if (!panel.isOpen() || document.hidden) return;
    const cursor = log.cursor();
    if (!log.markRead() || !cursor || readUpTo === cursor) return;
    readUpTo = cursor;
    void tellRead(cursor);
  }

  /** @param {string} cursor */
  async function tellRead(cursor) {
    try {
      await call(`${base}read`, { method: "POST", token: await sessions.token(), json: { cursor } });
    } catch {
      // Told with the next one.
      readUpTo = "";
    }
  }

  /** @param {Row} row @returns {Promise<Blob>} */
  async function loadPicture(row) {
    const own = outbox.picture(row.key);
    if (own) return asBlob(own);
    const url = `${base}files/${encodeURIComponent(row.picture ?? "")}`;
    return (await call(url, { token: await sessions.token(), seconds: 60 })).blob();
  }

  /** @param {string} name of what another tab changed */
  function elsewhere(name) {
    if (!name || name.startsWith("out:")) outbox.noticed();
    if (name === "session") {
      if (sessions.isOther()) other(false);
      if (sessions.kept()) inbox.start();
    }
    if (name === "log") {
      log.readElsewhere();
    }
  }

  async function begin() {
    log.restore();
    sessions.identify(identity, true);
    memory.onChange(elsewhere);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      refresh(false);
    });
    window.addEventListener("pageshow", (event) => refresh(event.persisted));
    window.addEventListener("online", () => refresh(true));
    window.addEventListener("offline", () => refresh(true));
    const wasOpen = inTab("open") && innerWidth > 480;
    render();
    if (isPage || wasOpen) panel.toggle(true, isPage && window.top === window);
    await glance();
  }

  /** @param {boolean} isSure */
  function refresh(isSure) {
    inbox.refresh(isSure);
    void outbox.flush();
    render();
  }

  /** Follow the chat if there is one. */
  async function glance() {
    await sessions.refresh().catch(() => {});
    if (!log.cursor() && (identity || sessions.kept())) await inbox.glance().catch(() => {});
    if (log.messages().length || (panel.isOpen() && sessions.kept())) inbox.start();
    await outbox.flush();
  }

  return {
    root: panel.root,
    begin: () => void begin(),
    open: () => panel.toggle(true),
    close: () => panel.toggle(false),
    /** @param {Identity | null} given @param {boolean} byPage */
    identify(given, byPage) {
      identity = given;
      sessions.identify(given, byPage);
      void glance();
    },
  };
}

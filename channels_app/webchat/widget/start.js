// Finds out where it stands and puts the chat on the page.

/** @param {HTMLScriptElement} script */
function start(script) {
  const number = script.dataset["phoneNumberId"] ?? "";
  const isPage = script.dataset["page"] !== undefined;
  const locale = script.dataset["locale"] || undefined;
  const base = new URL(`webchat/${encodeURIComponent(number)}/`, script.src).href;
  const host = document.createElement("web-chat");
  const shadow = host.attachShadow({ mode: "open" });
  const memory = openMemory(`webchat:${number}:`);
  /** @type {(chat: ReturnType<typeof run>) => void} */
  let ready = () => {};
  /** @type {Promise<ReturnType<typeof run>>} */
  const whenReady = new Promise((resolve) => (ready = resolve));

  window.WebChat = {
    open: () => void whenReady.then((chat) => chat.open()),
    close: () => void whenReady.then((chat) => chat.close()),
    identify: (identity) => void whenReady.then((chat) => chat.identify(identity, false)),
  };

  /** @param {string} text */
  function style(text) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet];
  }

  /** Stand beside the body: pages replace it, and move it about. */
  function attach() {
    if (!host.isConnected) document.documentElement.append(host);
  }

  async function load() {
    for (let failures = 0; ; failures++) {
      try {
        return /** @type {Config} */ (await ask(`${base}config`, {}));
      } catch (error) {
        if (error instanceof Refusal && !error.isPassing) return null;
        // Where this origin is not allowed the browser says no more than that it failed.
        if (failures > 1) return null;
        await sleep(backoff(failures + 1));
      }
    }
  }

  async function begin() {
    const config = await load();
    if (document.readyState === "loading") {
      await new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve, { once: true }));
    }
    style(STYLES);
    if (!config) {
      if (isPage) shadow.append(make("p", { class: "nothing", role: "alert" }, WORDS.blocked));
      if (isPage) attach();
      return;
    }
    style(colourRules(config.color));
    const identity = pageIdentity(script.dataset);
    const position = script.dataset["position"] || config.position;
    const chat = run({ config, memory, base, isPage, locale, position, identity });
    shadow.append(chat.root);
    // Shortcuts of the page are not meant by what is typed here.
    for (const kind of ["keydown", "keyup", "keypress"]) {
      host.addEventListener(kind, (event) => event.stopPropagation());
    }
    attach();
    new MutationObserver(attach).observe(document.documentElement, { childList: true });
    chat.begin();
    ready(chat);
  }

  if (number) void begin();
}

/** @param {DOMStringMap} data @returns {Identity | null} */
function pageIdentity(data) {
  const { userId, userHash, userName } = data;
  if (!userId || !userHash) return null;
  return { user_id: userId, hash: userHash, ...(userName ? { name: userName } : {}) };
}

if (document.currentScript instanceof HTMLScriptElement && !window.WebChat) start(document.currentScript);

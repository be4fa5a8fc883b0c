// Finds out where it stands and puts the chat on the page.

/** @param {HTMLScriptElement} script */
function start(script) {
  const number = script.dataset["phoneNumberId"] ?? "";
  const isPage = script.dataset["page"] !== undefined;
  const locale = language(script.dataset["locale"]);
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

  /** @param {() => void} onWait @returns {Promise<Config>} @throws {Refusal} */
  async function load(onWait) {
    for (let failures = 1; ; failures++) {
      try {
        return await ask(`${base}config`, {});
      } catch (problem) {
        const error = problem instanceof Refusal ? problem : new Refusal(0);
        // Where this origin is not allowed the browser says no more than that it failed.
        const isHopeless = error.status === 0 && navigator.onLine && failures > 2;
        if (!error.isPassing || isHopeless) throw error;
        onWait();
        await sleep(error.status === 429 ? error.seconds * 1000 : backoff(failures));
      }
    }
  }

  async function begin() {
    if (document.readyState === "loading") {
      await new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve, { once: true }));
    }
    style(STYLES);
    const wait = make("p", { class: "nothing", role: "alert" });
    if (isPage) {
      shadow.append(wait);
      attach();
    }
    let config;
    try {
      config = await load(() => wait.append(wait.firstChild ? "" : WORDS.connecting));
    } catch (error) {
      wait.textContent = WORDS.blocked;
      throw error;
    }
    wait.remove();
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

  begin().catch((error) => {
    console.error(`Web chat "${number}" is not shown: there is none, or its allowed_origins lack ${origin}. ${error}`);
  });
}

/** Give a language as browsers name it, if there is such a one. @param {string} [name] */
function language(name) {
  try {
    return Intl.getCanonicalLocales(name?.replace(/_/g, "-"))[0];
  } catch {
    return undefined;
  }
}

/** @param {DOMStringMap} data @returns {Identity | null} */
function pageIdentity(data) {
  const { userToken, userId, userHash } = data;
  return userToken || (userId && userHash ? { user_id: userId, hash: userHash } : null);
}

const current = document.currentScript;
// A module is nobody's current script, and pages have elements that hide what has their name.
const tag = current instanceof HTMLScriptElement ? current : document.querySelector("script[data-phone-number-id]");
if (tag instanceof HTMLScriptElement && !window.WebChat?.identify) start(tag);

// The bubble and the panel that it opens.

const NEAR_THE_END = 80;

/**
 * Build what is seen.
 * @param {{config: Config, words: Words, isPage: boolean, position: string, locale: string | undefined,
 *   rows: HTMLElement, composer: ReturnType<typeof openComposer>, onToggle: (isOpen: boolean) => void}} parts
 */
function openPanel({ config, words, isPage, position, locale, rows, composer, onToggle }) {
  const title = config.title || words.title;
  const badge = make("span", { class: "badge", hidden: true });
  const label = config.launcher_label ? make("span", { class: "label" }, config.launcher_label) : null;
  // Who speaks to it says what stands on it.
  const open = config.launcher_label || words.open;
  const launcher = make(
    "button",
    { type: "button", class: "launcher", "aria-expanded": "false", "aria-label": open },
    icon(ICONS.chat),
    icon(ICONS.down),
    label,
    badge,
  );
  const state = make("p", { class: "state", role: "status" });
  const close = make("button", { type: "button", class: "round close", "aria-label": words.close }, icon(ICONS.close));
  // No <header>: that would be another one of the page's.
  const header = make(
    "div",
    { class: "header" },
    make("span", { class: "avatar", "aria-hidden": "true" }, [...title][0]?.toUpperCase() ?? ""),
    make("div", { class: "heading" }, make(isPage ? "h1" : "h2", {}, make("bdi", {}, title)), state),
    isPage ? null : close,
  );
  const dots = make("span", { class: "dots", "aria-hidden": "true" }, make("i"), make("i"), make("i"));
  const typing = make("div", { class: "typing", hidden: true }, dots);
  const scroller = make("div", { class: "log", role: "log", tabindex: "0", "aria-label": words.log }, rows, typing);
  const count = make("span");
  const newer = make(
    "button",
    { type: "button", class: "newer", hidden: true, "aria-label": words.newest },
    icon(ICONS.down),
    count,
  );
  const said = make("p", { class: "said", role: "status" });
  const notice = make("p", { class: "notice", role: "status" });
  const panel = make(
    "section",
    { class: "panel", role: isPage ? "main" : "dialog", "aria-label": title, tabindex: "-1", hidden: true },
    header,
    make("div", { class: "middle" }, scroller, newer),
    notice,
    composer.element,
  );
  const side = position === "left" ? "left" : "right";
  const root = make(
    "div",
    { class: `wc ${side}${isPage ? " page" : ""}`, dir: direction(locale), lang: locale ?? null },
    panel,
    isPage ? null : launcher,
    said,
  );
  const isSmall = matchMedia("(max-width: 480px), (max-height: 440px)");
  const isTouched = matchMedia("(pointer: coarse)");
  let isOpen = false;
  let isAtEnd = true;
  /** What came while the visitor read what is above. */
  let missed = 0;
  let unread = 0;
  /** @type {Element | null} */
  let opener = null;

  const active = () => /** @type {ShadowRoot} */ (root.getRootNode()).activeElement;

  /** @param {boolean} wanted @param {boolean} hasFocus whether the focus goes along */
  function toggle(wanted, hasFocus = true) {
    if (wanted === isOpen || (isPage && !wanted)) return;
    isOpen = wanted;
    if (wanted) opener = document.activeElement;
    const hadFocus = panel.contains(active());
    panel.hidden = !wanted;
    said.textContent = "";
    if (!isPage) panel.setAttribute("aria-modal", String(isSmall.matches));
    root.classList.toggle("open", wanted);
    launcher.setAttribute("aria-expanded", String(wanted));
    if (wanted) {
      composer.fit();
      toNews(unread);
    }
    onToggle(wanted);
    // A phone's keyboard would cover what there is to read.
    if (wanted && hasFocus) isTouched.matches ? panel.focus({ preventScroll: true }) : composer.focus();
    if (hadFocus && !wanted) {
      // To what opened it, be it of the page.
      const isOurs = !opener?.isConnected || opener === document.body || opener.shadowRoot?.contains(root);
      const target = isOurs ? launcher : /** @type {HTMLElement} */ (opener);
      target.focus({ preventScroll: true });
    }
  }

  function toEnd() {
    scroller.scrollTop = scroller.scrollHeight;
    isAtEnd = true;
  }

  /** Keep the focus in the chat when what has it goes away. */
  function rest() {
    scroller.focus({ preventScroll: true });
  }

  /** Go to the end, but not past the beginning of what is new. @param {number} count how many messages of others are */
  function toNews(count) {
    toEnd();
    const first = count && isOpen ? [...rows.querySelectorAll(".ai, .staff")].at(-count) : null;
    const above = first ? first.getBoundingClientRect().top - scroller.getBoundingClientRect().top - 12 : 0;
    if (above < 0) {
      scroller.scrollTop += above;
      isAtEnd = false;
    }
  }

  /**
   * Follow what is new where the visitor reads the end, or wrote it.
   * @param {boolean} isOwn @param {number} others how many messages of others are new
   */
  function follow(isOwn, others) {
    if (isAtEnd || isOwn) toNews(others);
    else missed += others;
    showNewer();
  }

  function showNewer() {
    if (isAtEnd) missed = 0;
    newer.hidden = isAtEnd;
    count.textContent = missed ? `${missed} ${words.unread}` : "";
    newer.setAttribute("aria-label", count.textContent || words.newest);
  }

  /** On a phone the panel is all there is to go to. @param {KeyboardEvent} event */
  function keepFocus(event) {
    if (event.key !== "Tab" || !isSmall.matches || isPage) return;
    const found = /** @type {HTMLElement[]} */ ([...panel.querySelectorAll("button, textarea, a, [tabindex]")]).filter(
      (one) => one.offsetParent && !one.hasAttribute("disabled"),
    );
    const edge = event.shiftKey ? found[0] : found.at(-1);
    const isBefore = event.shiftKey && active() === panel;
    if (active() !== edge && !isBefore) return;
    event.preventDefault();
    (event.shiftKey ? found.at(-1) : found[0])?.focus();
  }

  /** @param {Blob} blob */
  async function enlarge(blob) {
    const canvas = make("canvas", { role: "img", "aria-label": words.picture });
    const shown = make("button", { type: "button", class: "enlarged", "aria-label": words.close }, canvas);
    const before = /** @type {HTMLElement | null} */ (active());
    let isShown = true;
    const end = () => {
      // Taking it away is a loss of focus as well.
      if (!isShown) return;
      isShown = false;
      shown.remove();
      before?.focus();
    };
    shown.addEventListener("click", end);
    shown.addEventListener("blur", end, { once: true });
    shown.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      end();
    });
    root.append(shown);
    shown.focus();
    await paint(canvas, blob, 1600);
  }

  launcher.addEventListener("click", () => toggle(!isOpen));
  close.addEventListener("click", () => toggle(false));
  newer.addEventListener("click", () => {
    rest();
    toEnd();
  });
  scroller.addEventListener("scroll", () => {
    isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_THE_END;
    showNewer();
  });
  /** Pictures may be dropped; without this the browser would leave the page for them. @param {DragEvent} event */
  const drag = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    panel.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") void composer.take(event.dataTransfer.files[0]);
  };
  for (const kind of /** @type {const} */ (["dragover", "dragleave", "drop"])) panel.addEventListener(kind, drag);
  root.addEventListener("keydown", (event) => {
    keepFocus(event);
    if (event.key === "Escape" && !event.isComposing) toggle(false);
  });
  // Pictures, notes and dots make it longer without a new message, and what is written makes it smaller.
  const growth = new ResizeObserver(() => {
    if (isAtEnd && isOpen) toEnd();
  });
  for (const grown of [rows, typing, scroller]) growth.observe(grown);
  // Above the keyboard of a phone.
  const view = window.visualViewport;
  const fit = () => {
    root.style.setProperty("--height", `${view?.height ?? innerHeight}px`);
    root.style.setProperty("--top", `${view?.offsetTop ?? 0}px`);
    if (isAtEnd && isOpen) toEnd();
  };
  view?.addEventListener("resize", fit);
  view?.addEventListener("scroll", fit);
  fit();

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paintTheme = () => {
    const isDark = config.theme === "dark" || (config.theme !== "light" && dark.matches);
    root.classList.toggle("dark", isDark);
  };
  dark.addEventListener("change", paintTheme);
  paintTheme();

  return {
    root,
    toggle,
    follow,
    enlarge,
    rest,
    isOpen: () => isOpen,
    /** @param {number} count */
    showUnread(count) {
      const news = count && !isOpen ? `${count} ${words.unread}` : "";
      badge.hidden = !news;
      badge.textContent = count > 99 ? "99+" : String(count);
      const name = isOpen ? words.close : open;
      launcher.setAttribute("aria-label", news ? `${name}, ${news}` : name);
      if (news && count > unread) said.textContent = news;
      unread = count;
    },
    /** @param {string} text @param {"good" | "away" | "off"} tone */
    showState(text, tone) {
      if (state.textContent !== text) state.textContent = text;
      state.dataset["tone"] = tone;
    },
    /** @param {string} text */
    showNotice(text) {
      if (notice.textContent !== text) notice.textContent = text;
    },
    /** @param {boolean} isTyping */
    showTyping(isTyping) {
      if (typing.hidden === !isTyping) return;
      typing.hidden = !isTyping;
      said.textContent = isTyping ? words.typing : "";
    },
  };
}

/** @param {string | undefined} locale */
function direction(locale) {
  const page = getComputedStyle(document.documentElement).direction;
  const body = document.body ? getComputedStyle(document.body).direction : page;
  if (!locale) return body;
  return /^(ar|arc|ckb|dv|fa|he|ks|ps|sd|ug|ur|yi)\b/i.test(locale) ? "rtl" : "ltr";
}

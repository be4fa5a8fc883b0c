// The messages on the screen.

const GROUP_WITHIN = 5 * 60 * 1000;

/**
 * What stands in one row.
 * @typedef {{key: string, from: Message["from"], text: string, at: number, picture: string | null,
 *   note: string, isBad: boolean, retry: string | null}} Row
 */

/**
 * Show rows of messages, grouped by author and time.
 * @param {{words: Words, locale: string | undefined, loadPicture: (row: Row) => Promise<Blob>,
 *   onRetry: (id: string) => void, onEnlarge: (blob: Blob) => void}} parts
 */
function openRows({ words, locale, loadPicture, onRetry, onEnlarge }) {
  const element = make("div", { class: "rows" });
  /** @type {Map<string, {element: HTMLElement, bubble: HTMLElement, content: string, state: string}>} */
  const shown = new Map();
  const spoken = locale ?? language(document.documentElement.lang);
  const clock = new Intl.DateTimeFormat(spoken, { hour: "numeric", minute: "2-digit" });
  const calendar = new Intl.DateTimeFormat(spoken, { weekday: "short", day: "numeric", month: "short" });

  /** @param {number} at */
  const dayOf = (at) => new Date(at).toDateString();

  /** @param {number} at */
  function dayName(at) {
    if (dayOf(at) === dayOf(Date.now())) return words.today;
    if (dayOf(at) === dayOf(Date.now() - 86_400_000)) return words.yesterday;
    return calendar.format(at);
  }

  /** @param {Row[]} rows */
  function show(rows) {
    const keys = new Set();
    /** @type {Element | null} */
    let last = null;
    /** @param {string} key @param {HTMLElement} placed */
    const place = (key, placed) => {
      keys.add(key);
      const next = last ? last.nextElementSibling : element.firstElementChild;
      if (next !== placed) element.insertBefore(placed, next);
      last = placed;
    };
    rows.forEach((row, n) => {
      const before = rows[n - 1];
      const after = rows[n + 1];
      const isNewDay = row.at > 0 && (before?.at ? dayOf(before.at) : dayOf(Date.now())) !== dayOf(row.at);
      if (isNewDay) place(`day:${dayOf(row.at)}`, day(row.at));
      const isFirst = !before || isNewDay || !isTogether(before, row);
      const isLast = !after || !isTogether(row, after) || dayOf(after.at) !== dayOf(row.at);
      place(row.key, entry(row, isFirst, isLast));
    });
    for (const [key, { element: old }] of shown) {
      if (!keys.has(key)) {
        old.remove();
        shown.delete(key);
      }
    }
  }

  /** @param {Row} one @param {Row} next */
  const isTogether = (one, next) => one.from === next.from && next.at - one.at < GROUP_WITHIN && one.at > 0;

  /** @param {number} at */
  function day(at) {
    const key = `day:${dayOf(at)}`;
    const found = shown.get(key);
    const name = dayName(at);
    if (found) {
      if (found.content !== name) found.element.textContent = found.content = name;
      return found.element;
    }
    const made = make("div", { class: "day" }, name);
    shown.set(key, { element: made, bubble: made, content: name, state: "" });
    return made;
  }

  /** @param {Row} row @param {boolean} isFirst @param {boolean} isLast */
  function entry(row, isFirst, isLast) {
    const found = shown.get(row.key) ?? fresh(row);
    // A picture we sent is ours still when the server shows it.
    const content = JSON.stringify([row.from, row.text, !!row.picture]);
    if (found.content !== content) {
      found.content = content;
      found.bubble.replaceChildren(...body(row));
    }
    const state = JSON.stringify([isFirst, isLast, row.note, row.isBad, row.retry, row.at]);
    if (found.state !== state) {
      found.state = state;
      found.element.className = `row ${row.from}${isFirst ? " first" : ""}${isLast ? " last" : ""}`;
      found.element.lastElementChild?.replaceWith(foot(row, isLast));
    }
    return found.element;
  }

  /** @param {Row} row */
  function fresh(row) {
    const bubble = make("div", { class: "bubble", dir: "auto" });
    const author = { visitor: words.you, ai: words.ai, staff: words.staff }[row.from];
    const name = make("div", { class: "author" }, author);
    const made = { element: make("div", {}, name, bubble, make("div")), bubble, content: "", state: "" };
    shown.set(row.key, made);
    return made;
  }

  /** @param {Row} row @param {boolean} isLast */
  function foot(row, isLast) {
    const made = make("div", { class: row.isBad ? "foot bad" : "foot", "aria-live": row.isBad ? null : "off" });
    if (row.at && (isLast || row.note)) {
      const at = new Date(row.at);
      const whole = at.toLocaleString(spoken);
      made.append(make("time", { dir: "auto", datetime: at.toISOString(), title: whole }, clock.format(at)));
    }
    if (row.note) made.append(make("span", { dir: "auto" }, row.note));
    const id = row.retry;
    if (id) {
      const button = make("button", { type: "button", class: "retry" }, words.retry);
      button.addEventListener("click", () => onRetry(id));
      made.append(button);
    }
    return made;
  }

  /** @param {Row} row @returns {Node[]} */
  function body(row) {
    /** @type {Node[]} */
    const made = row.picture ? [picture(row)] : [];
    if (row.text && row.from === "visitor") made.push(make("p", { class: "plain" }, row.text));
    else if (row.text) made.push(...fromMarkdown(row.text));
    return made;
  }

  /** @param {Row} row */
  function picture(row) {
    const canvas = make("canvas", { role: "img", "aria-label": words.picture });
    const button = make("button", { type: "button", class: "picture" }, canvas);
    void (async () => {
      try {
        const blob = await loadPicture(row);
        await paint(canvas, blob);
        button.addEventListener("click", () => onEnlarge(blob));
      } catch {
        button.replaceWith(make("p", {}, make("em", {}, words.picture_missing)));
      }
    })();
    return button;
  }

  return { element, show };
}

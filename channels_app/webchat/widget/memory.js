// What outlives the page, and what tabs of one browser share.

/**
 * Keep something as long as this tab is open, where that may be.
 * @param {string} name @param {string} [value] @returns {string}
 */
function inTab(name, value) {
  try {
    if (value !== undefined) sessionStorage.setItem(`webchat:${name}`, value);
    return sessionStorage.getItem(`webchat:${name}`) ?? "";
  } catch {
    return "";
  }
}

/**
 * Keep values under names in localStorage; what does not fit there, or all where it is forbidden, lives as long
 * as the page.
 * @param {string} prefix
 */
function openMemory(prefix) {
  /** @type {Map<string, string>} */
  const here = new Map();
  /** @type {Storage | null} */
  let storage = null;
  try {
    storage = window.localStorage;
    storage.getItem(prefix);
  } catch {
    storage = null;
  }

  /** @param {string} name @returns {any} null where there is none */
  function get(name) {
    try {
      const text = here.get(prefix + name) ?? storage?.getItem(prefix + name);
      return text ? JSON.parse(text) : null;
    } catch {
      return null;
    }
  }

  /**
   * @param {string} name @param {unknown} value @param {boolean} isHere whether it is for this tab only
   * @returns {boolean} whether it outlives the page
   */
  function set(name, value, isHere = false) {
    const text = JSON.stringify(value);
    try {
      if (storage && !isHere) {
        storage.setItem(prefix + name, text);
        here.delete(prefix + name);
        return true;
      }
    } catch {
      // Full: the older value there must not come back.
      remove(name);
    }
    here.set(prefix + name, text);
    return false;
  }

  /** @param {string} name */
  function remove(name) {
    here.delete(prefix + name);
    try {
      storage?.removeItem(prefix + name);
    } catch {
      // Forbidden meanwhile.
    }
  }

  /** @param {string} start @returns {string[]} in order */
  function names(start) {
    const found = new Set(here.keys());
    try {
      for (let n = 0; storage && n < storage.length; n++) found.add(storage.key(n) ?? "");
    } catch {
      // Forbidden meanwhile.
    }
    return [...found]
      .filter((key) => key.startsWith(prefix + start))
      .map((key) => key.slice(prefix.length))
      .sort();
  }

  /** @param {(name: string) => void} told what another tab changed; "" stands for everything */
  function onChange(told) {
    window.addEventListener("storage", (event) => {
      if (event.key === null) told("");
      else if (event.key.startsWith(prefix)) told(event.key.slice(prefix.length));
    });
  }

  /**
   * Do something in one tab at a time.
   * @template T
   * @param {string} name
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async function alone(name, work) {
    // Where nothing may be kept there are no locks either, though browsers show them.
    if (storage && navigator.locks) return await navigator.locks.request(prefix + name, work);
    // Without https browsers have no locks: a note with a time on it does nearly as well, and the server
    // takes each message once whatever happens here.
    const owner = newId();
    const note = `lock:${name}`;
    const claim = () => set(note, { owner, until: Date.now() + 5000 });
    for (;;) {
      const held = get(note);
      if (!held || held.until < Date.now()) {
        claim();
        await sleep(20 + Math.random() * 20);
        if (get(note)?.owner === owner) break;
      }
      await sleep(100 + Math.random() * 100);
    }
    const renewal = setInterval(claim, 1500);
    try {
      return await work();
    } finally {
      clearInterval(renewal);
      remove(note);
    }
  }

  return { get, set, remove, names, onChange, alone };
}

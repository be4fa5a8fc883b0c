// Who the visitor is to the service: a token that is kept in this browser.

// Of 30 days. The visitor's clock may be wrong, but not by how much goes by.
const HALF_LIFE = 15 * 24 * 3600 * 1000;

/** @param {Identity | null} identity @returns {string | undefined} what is the same in all tokens of a user */
function userOf(identity) {
  if (typeof identity !== "string") return identity?.user_id;
  try {
    return JSON.parse(atob(identity.split(".")[1]?.replace(/-/g, "+").replace(/_/g, "/") ?? "")).sub;
  } catch {
    return "";
  }
}

/**
 * Get and keep the visitor's session.
 * @param {{base: string, memory: ReturnType<typeof openMemory>, onOther: (isStranger: boolean) => void}} parts
 *   `onOther` is told when the visitor may be another one from now on
 */
function openSessions({ base, memory, onOther }) {
  /** @type {Identity | null} */
  let identity = null;
  let isFromPage = false;

  /** @returns {Session | null} */
  const kept = () => memory.get("session");
  let era = kept()?.era;

  /** @param {Session | null} session */
  const isAlive = (session) => !!session && Date.now() - session.issued < 2 * HALF_LIFE;

  /** @param {Session | null} session */
  const fits = (session) => isAlive(session) && (!identity || session?.user === userOf(identity));

  /** @returns {Promise<string>} a token @throws {Refusal} */
  async function token() {
    const session = kept();
    if (session && fits(session)) return session.token;
    return memory.alone("session", async () => {
      const found = kept();
      // Another tab may have been faster.
      if (found && fits(found)) return found.token;
      return await begin(found, true);
    });
  }

  /**
   * Take another token for one that is refused, or that gets old.
   * @param {string} former @param {boolean} isGood whether it is only old
   * @throws {Refusal}
   */
  async function renew(former, isGood = false) {
    return memory.alone("session", async () => {
      const found = kept();
      if (found && found.token !== former && fits(found)) return found.token;
      return await begin(found, isGood);
    });
  }

  /** @param {Session | null} earlier @param {boolean} isGood */
  async function begin(earlier, isGood) {
    // What somebody else wrote here does not become ours.
    const isStranger = !!earlier?.user && earlier.user !== userOf(identity);
    const made = await post(isStranger || !isGood ? null : earlier);
    const isSame = earlier && isAlive(earlier) && earlier.user === made.user && made.isProven;
    /** @type {Session} */
    const session = {
      token: made.token,
      issued: Date.now(),
      user: made.user,
      by_page: isFromPage,
      era: isSame ? earlier.era : newId(),
    };
    memory.set("session", session);
    era = session.era;
    if (earlier && !isSame) onOther(isStranger);
    return session.token;
  }

  /** @param {Session | null} earlier */
  async function post(earlier) {
    let asked = identity;
    let proof = earlier?.token ?? null;
    for (;;) {
      try {
        const json = { [typeof asked === "string" ? "identity_token" : "identity"]: asked || undefined };
        const made = await ask(`${base}sessions`, { method: "POST", token: proof, json });
        const user = userOf(asked) ?? (proof ? (earlier?.user ?? null) : null);
        return { token: made.token, user, isProven: !!proof };
      } catch (refusal) {
        if (!(refusal instanceof Refusal) || refusal.isPassing || refusal.status === 404) throw refusal;
        if (refusal.code === "origin_not_allowed") throw refusal;
        if (refusal.code === "session_invalid" && proof) proof = null;
        else if (refusal.code === "identity_expired" && isRenewedByPage()) throw new Refusal(0);
        else if (asked) asked = identity = null;
        else if (proof) proof = null;
        else throw refusal;
      }
    }
  }

  /** Ask the page for a new identity: it calls WebChat.identify(), and prevents the event's default to say so. */
  const isRenewedByPage = () => !dispatchEvent(new Event("webchat:identity_expired", { cancelable: true }));

  /** Make the token live longer while it is good. */
  async function refresh() {
    const session = kept();
    if (!session || !fits(session) || Date.now() - session.issued < HALF_LIFE) return;
    // Whether a known user is still vouched for, only their identity tells.
    if (session.user && !identity) return;
    await renew(session.token, true);
  }

  /**
   * Set who the visitor is; null: nobody is signed in.
   * @param {Identity | null} given @param {boolean} byPage
   */
  function identify(given, byPage) {
    const session = kept();
    identity = given;
    isFromPage = byPage;
    if (given || !session?.user || (byPage && !session.by_page)) return;
    // Signed out: the next one at this screen reads nothing.
    memory.remove("session");
    era = undefined;
    onOther(true);
  }

  /** Whether another tab has put another visitor in the place of the one we knew. */
  function isOther() {
    const former = era;
    era = kept()?.era;
    return former !== undefined && former !== era;
  }

  return { token, renew, refresh, identify, kept, isOther };
}

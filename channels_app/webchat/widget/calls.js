// Calls to the service, and what may go wrong with them.

/** The service said no, or (status 0) could not be reached. */
class Refusal extends Error {
  /** @param {number} status @param {string} [code] @param {number} [seconds] of its Retry-After */
  constructor(status, code = "", seconds = 10) {
    super(`${status} ${code}`);
    this.status = status;
    this.code = code;
    this.seconds = seconds;
  }

  /** Whether the same call may work a little later. */
  get isPassing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/**
 * Ask the service.
 * @param {string} url
 * @param {Asked} request
 * @returns {Promise<Response>} a good one
 * @throws {Refusal}
 */
async function call(url, { method = "GET", token, json, body, headers = {}, signal, seconds = 20 }) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), seconds * 1000);
  signal?.addEventListener("abort", () => stop.abort());
  if (signal?.aborted) stop.abort();
  /** @type {Record<string, string>} */
  const sent = { ...headers };
  if (token) sent["Authorization"] = `Bearer ${token}`;
  if (json !== undefined) sent["Content-Type"] = "application/json";
  if (body) sent["Content-Type"] = body.type;
  let response;
  try {
    response = await fetch(url, {
      method,
      headers: sent,
      body: json !== undefined ? JSON.stringify(json) : (body ?? null),
      signal: stop.signal,
      // Without cookies, on any site.
      credentials: "omit",
      cache: "no-store",
    });
  } catch {
    throw new Refusal(0);
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const after = Number(response.headers.get("Retry-After"));
  throw new Refusal(response.status, String(problem?.code ?? ""), after > 0 ? Math.min(after, 600) : 10);
}

/**
 * Give JSON from the service.
 * @param {string} url
 * @param {Asked} request
 * @returns {Promise<any>}
 * @throws {Refusal}
 */
async function ask(url, request) {
  const response = await call(url, request);
  try {
    return await response.json();
  } catch {
    throw new Refusal(0);
  }
}

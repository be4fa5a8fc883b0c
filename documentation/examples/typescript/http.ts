// A small client for every operation, on fetch and without dependencies: Node 20 and later, and browsers.

import type { paths, Problem } from "./types.js";

type Method = "get" | "post" | "patch" | "put" | "delete";
type Operation<P extends keyof paths, M extends Method> = M extends keyof paths[P] ? NonNullable<paths[P][M]> : never;
/** The paths that know a method. */
export type PathsWith<M extends Method> = {
  [P in keyof paths]: [NonNullable<paths[P][M]>] extends [never] ? never : P;
}[keyof paths];

type Parameters<O> = O extends { parameters: infer Given } ? Given : never;
type Part<O, Name extends string> = Parameters<O> extends { [Key in Name]: infer Given }
  ? { [Key in Name]: Given }
  : Parameters<O> extends { [Key in Name]?: infer Given }
    ? { [Key in Name]?: Exclude<Given, undefined> }
    : object;
type Body<O> = O extends { requestBody: { content: { "application/json": infer Given } } }
  ? { body: Given }
  : O extends { requestBody?: { content: { "application/json": infer Given } } }
    ? { body?: Given }
    : object;
type Once<O> = Parameters<O> extends { header: { "Idempotency-Key": string } }
  ? { idempotencyKey: string }
  : { idempotencyKey?: string };
/** What a request is made of; `idempotencyKey` and `ifMatch` become headers. */
export type Request<O> = Part<O, "path"> &
  Part<O, "query"> &
  Body<O> &
  Once<O> & { ifMatch?: string; signal?: AbortSignal };

type Success<O> = O extends { responses: infer Responses }
  ? Responses extends { 200: { content: { "application/json": infer Answer } } }
    ? Answer
    : Responses extends { 201: { content: { "application/json": infer Answer } } }
      ? Answer
      : Responses extends { 202: { content: { "application/json": infer Answer } } }
        ? Answer
        : undefined
  : never;
type Arguments<O> = object extends Request<O> ? [request?: Request<O>] : [request: Request<O>];
type Entry<Answer> = Answer extends { data: (infer One)[] } ? One : never;

/** The API refused; decide by `code`. https://www.rfc-editor.org/rfc/rfc9457 */
export class ProblemError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(readonly problem: Problem) {
    super(`${problem.status} ${problem.code}: ${problem.detail} (${problem.correlation_id})`);
    this.name = "ProblemError";
    this.status = problem.status;
    this.code = problem.code;
  }

  /** What is wrong with a field, if anything is. */
  field(name: string): string | undefined {
    return this.problem.errors?.find((error) => error.field === name)?.code;
  }
}

export interface Options {
  baseUrl: string;
  apiKey: string;
  /** How often a request that may be repeated is sent again at most. */
  retries?: number;
}

const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

export class Api {
  constructor(private readonly options: Options) {}

  get = <P extends PathsWith<"get">>(path: P, ...given: Arguments<Operation<P, "get">>) =>
    this.call<Success<Operation<P, "get">>>("GET", path, given[0] as Untyped | undefined);

  post = <P extends PathsWith<"post">>(path: P, ...given: Arguments<Operation<P, "post">>) =>
    this.call<Success<Operation<P, "post">>>("POST", path, given[0] as Untyped | undefined);

  patch = <P extends PathsWith<"patch">>(path: P, ...given: Arguments<Operation<P, "patch">>) =>
    this.call<Success<Operation<P, "patch">>>("PATCH", path, given[0] as Untyped | undefined);

  put = <P extends PathsWith<"put">>(path: P, ...given: Arguments<Operation<P, "put">>) =>
    this.call<Success<Operation<P, "put">>>("PUT", path, given[0] as Untyped | undefined);

  delete = <P extends PathsWith<"delete">>(path: P, ...given: Arguments<Operation<P, "delete">>) =>
    this.call<Success<Operation<P, "delete">>>("DELETE", path, given[0] as Untyped | undefined);

  /** A file, to be taken in as it comes: `response.body`, or all of it with `response.text()`. */
  download = <P extends PathsWith<"get">>(path: P, ...given: Arguments<Operation<P, "get">>): Promise<Response> =>
    this.send("GET", path, given[0] as Untyped | undefined);

  /** Every entry of a list, page after page. */
  async *each<P extends PathsWith<"get">>(
    path: P,
    ...given: Arguments<Operation<P, "get">>
  ): AsyncGenerator<Entry<Success<Operation<P, "get">>>> {
    type Page = { data: Entry<Success<Operation<P, "get">>>[]; next_cursor: string | null };
    const request: Untyped = { ...(given[0] as Untyped | undefined) };
    let cursor: string | null = null;
    do {
      const query: Untyped["query"] = cursor ? { ...request.query, cursor } : request.query;
      const page: Page = await this.call<Page>("GET", path, query ? { ...request, query } : request);
      yield* page.data;
      cursor = page.next_cursor;
    } while (cursor);
  }

  private async call<Answer>(method: string, path: string, request?: Untyped): Promise<Answer> {
    const response = await this.send(method, path, request);
    return (response.status === 204 ? undefined : await response.json()) as Answer;
  }

  private async send(method: string, path: string, request: Untyped = {}): Promise<Response> {
    const url = this.url(path, request);
    const headers: Record<string, string> = { "x-api-key": this.options.apiKey };
    if (request.body !== undefined) headers["content-type"] = "application/json";
    if (request.idempotencyKey) headers["idempotency-key"] = request.idempotencyKey;
    if (request.ifMatch) headers["if-match"] = request.ifMatch;
    const body = request.body === undefined ? null : JSON.stringify(request.body);
    for (let attempt = 0; ; attempt++) {
      const response = await fetch(url, { method, headers, body, signal: request.signal ?? null });
      if (response.ok) return response;
      const problem = await asProblem(response);
      // Both say that nothing was done, so that any request may be sent again.
      const isBusy = response.status === 429 || response.status === 503;
      if (!isBusy || attempt >= (this.options.retries ?? 3)) throw new ProblemError(problem);
      const told = Number(response.headers.get("retry-after") ?? NaN);
      await sleep(Number.isFinite(told) ? told : 2 ** attempt);
    }
  }

  private url(path: string, request: Untyped): URL {
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(request.path?.[name])));
    const url = new URL(this.options.baseUrl.replace(/\/$/, "") + filled);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
    }
    return url;
  }
}

interface Untyped {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
  idempotencyKey?: string;
  ifMatch?: string;
  signal?: AbortSignal;
}

async function asProblem(response: Response): Promise<Problem> {
  try {
    return (await response.json()) as Problem;
  } catch {
    // Somebody between here and the API answered.
    const { status, statusText: title } = response;
    return { type: "about:blank", title, status, code: `http_${status}`, detail: title, correlation_id: "" };
  }
}

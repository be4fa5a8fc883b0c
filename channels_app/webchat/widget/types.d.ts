// What the parts of the widget share. They are plain scripts which script.py joins into one function.

declare const WORDS: typeof import("./words.json");
declare const STYLES: string;

type Words = typeof WORDS;

interface Config {
  title: string;
  subtitle: string;
  welcome_text: string;
  placeholder: string;
  launcher_label: string;
  color: string;
  position: string;
  theme: string;
  texts: Partial<Words>;
  is_available: boolean;
  events_url: string;
}

/** What the server tells of a message. */
interface Message {
  id: string;
  from: "visitor" | "ai" | "staff";
  text: string;
  at: string;
  image: { file_id: string } | null;
  client_id: string | null;
  status: "received" | "answered" | "failed" | "unavailable" | "sent" | "read";
}

interface State {
  is_available: boolean;
  is_paused: boolean;
}

interface Page {
  messages: Message[];
  cursor: string;
  has_more: boolean;
  state: State;
}

/** A message of ours until the server shows it: its place in the queue is its key's. */
interface Draft {
  id: string;
  text: string;
  at: number;
  has_picture: boolean;
  /** Whether only this tab has it. */
  is_here: boolean;
  file_id?: string;
  state: "sending" | "waiting" | "failed" | "sent";
  reason?: keyof Words;
}

interface Picture {
  type: string;
  /** Its bytes in base64. */
  data: string;
}

/** A signed token, or the format before tokens. */
type Identity = string | { user_id: string; hash: string };

interface Session {
  token: string;
  /** When, by the visitor's clock. */
  issued: number;
  user: string | null;
  /** Whether the page itself says who it is, as opposed to WebChat.identify(). */
  by_page: boolean;
  /** Changes whenever the visitor may be another one. */
  era: string;
}

interface Asked {
  method?: string;
  token?: string | null;
  json?: unknown;
  body?: Blob;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  seconds?: number;
}

/** What may be told of the line to the server. */
type Line = "good" | "connecting" | "offline" | "blocked";

interface WebChatPage {
  open(): void;
  close(): void;
  identify(identity: Identity | null): void;
}

interface Window {
  WebChat?: WebChatPage;
}

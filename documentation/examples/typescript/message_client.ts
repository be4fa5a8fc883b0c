// What was said, and how people take part: read, answer, pause the AI, retry what failed.

import type { Api } from "./http.js";
import type { Conversation, Message, operations } from "./types.js";

type Query<Name extends "list_messages" | "list_conversations"> = NonNullable<operations[Name]["parameters"]["query"]>;
export type MessageFilters = Omit<Query<"list_messages">, "cursor">;
export type ConversationFilters = Omit<Query<"list_conversations">, "cursor">;

export class MessageClient {
  constructor(
    private readonly api: Api,
    private readonly userId: string,
  ) {}

  /** Messages, newest first unless told otherwise; pages are asked for as they are needed. */
  messages(filters: MessageFilters = {}): AsyncGenerator<Message> {
    return this.api.each("/users/{user_id}/messages", { path: { user_id: this.userId }, query: filters });
  }

  conversations(filters: ConversationFilters = {}): AsyncGenerator<Conversation> {
    return this.api.each("/users/{user_id}/conversations", { path: { user_id: this.userId }, query: filters });
  }

  get(messageId: string) {
    return this.api.get("/users/{user_id}/messages/{message_id}", { path: this.message(messageId) });
  }

  /** Answer a customer as a person, which pauses the AI. One `idempotencyKey` for each press of the button. */
  reply(conversationId: string, text: string, idempotencyKey: string = crypto.randomUUID()): Promise<Message> {
    return this.api.post("/users/{user_id}/conversations/{conversation_id}/messages", {
      path: this.conversation(conversationId),
      body: { text },
      idempotencyKey,
    });
  }

  /** Let the AI answer again. */
  resume(conversationId: string): Promise<Conversation> {
    const path = this.conversation(conversationId);
    return this.api.post("/users/{user_id}/conversations/{conversation_id}/resume", { path });
  }

  /** Have a message answered after all, or a reply sent again; false if that is under way already. */
  async retry(messageId: string): Promise<boolean> {
    const answer = await this.api.post("/users/{user_id}/messages/{message_id}/retry", { path: this.message(messageId) });
    return answer.started;
  }

  /** New messages as they are said, oldest first, until `signal` is aborted. */
  async *follow(signal: AbortSignal, { since = new Date(), seconds = 2 } = {}): AsyncGenerator<Message> {
    const known = new Set<string>();
    let from = since.toISOString();
    while (!signal.aborted) {
      for await (const message of this.messages({ since: from, order: "oldest" })) {
        if (known.has(message.message_id)) continue;
        known.add(message.message_id);
        if (Date.parse(message.timestamp) > Date.parse(from)) from = message.timestamp;
        yield message;
        if (signal.aborted) return;
      }
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    }
  }

  private message(messageId: string) {
    return { user_id: this.userId, message_id: messageId };
  }

  private conversation(conversationId: string) {
    return { user_id: this.userId, conversation_id: conversationId };
  }
}

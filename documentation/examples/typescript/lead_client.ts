// Leads: what was learned from conversations, to be read, corrected, and taken elsewhere.

import type { Api } from "./http.js";
import type { Extraction, operations } from "./types.js";

type Query<Name extends "list_extractions" | "export_extractions"> = NonNullable<
  operations[Name]["parameters"]["query"]
>;
export type LeadFilters = Omit<Query<"list_extractions">, "cursor">;
export type Correction = NonNullable<operations["update_extraction"]["requestBody"]>["content"]["application/json"];

export class LeadClient {
  constructor(
    private readonly api: Api,
    private readonly userId: string,
  ) {}

  /** Leads, newest first; with `history` every reading. */
  leads(filters: LeadFilters = {}): AsyncGenerator<Extraction> {
    return this.api.each("/users/{user_id}/extractions", { path: { user_id: this.userId }, query: filters });
  }

  get(extractionId: string): Promise<Extraction> {
    return this.api.get("/users/{user_id}/extractions/{extraction_id}", { path: this.lead(extractionId) });
  }

  /** Set right what is wrong; null = there is none. No later reading overwrites it. */
  correct(extractionId: string, changes: Correction): Promise<Extraction> {
    return this.api.patch("/users/{user_id}/extractions/{extraction_id}", {
      path: this.lead(extractionId),
      body: changes,
    });
  }

  /** Have a conversation read now, and wait until that is done. */
  async read(conversationId: string, { seconds = 1 } = {}): Promise<Extraction> {
    let reading = await this.api.post("/users/{user_id}/conversations/{conversation_id}/extract", {
      path: { user_id: this.userId, conversation_id: conversationId },
      body: {},
    });
    while (reading.status === "waiting" || reading.status === "running") {
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      reading = await this.get(reading.extraction_id);
    }
    return reading;
  }

  /** All leads as CSV, to be taken in as they come: `for await (const part of file.body)`, or `await file.text()`. */
  export(filters: Query<"export_extractions"> = {}): Promise<Response> {
    return this.api.download("/users/{user_id}/extractions/export", { path: { user_id: this.userId }, query: filters });
  }

  private lead(extractionId: string) {
    return { user_id: this.userId, extraction_id: extractionId };
  }
}

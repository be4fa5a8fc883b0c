// Agents, and what they need: a number to answer on and a prompt to speak with.

import type { Api, Request } from "./http.js";
import type { Agent, operations } from "./types.js";

type Body<Name extends keyof operations> = Request<operations[Name]> extends { body?: infer Given } ? NonNullable<Given> : never;
export type NewAgent = Body<"create_agent">;
export type AgentChanges = Body<"update_agent">;
export type NewPhoneNumber = Body<"create_phone_number">;
export type NewPrompt = Body<"create_prompt">;
export type NewVersion = Body<"publish_prompt_version">;

export class AgentClient {
  constructor(
    private readonly api: Api,
    private readonly userId: string,
  ) {}

  /** All agents, or those on a number or with a prompt. */
  list(only: { phone_number_id?: string; prompt_id?: string } = {}): AsyncGenerator<Agent> {
    return this.api.each("/users/{user_id}/agents", { path: { user_id: this.userId }, query: only });
  }

  get(agentId: string): Promise<Agent> {
    return this.api.get("/users/{user_id}/agents/{agent_id}", { path: this.path(agentId) });
  }

  /** Make an agent; `idempotencyKey` lets you send it again if no answer came. */
  create(agent: NewAgent, idempotencyKey: string = crypto.randomUUID()): Promise<Agent> {
    return this.api.post("/users/{user_id}/agents", {
      path: { user_id: this.userId },
      body: agent,
      idempotencyKey,
    });
  }

  update(agentId: string, changes: AgentChanges): Promise<Agent> {
    return this.api.patch("/users/{user_id}/agents/{agent_id}", { path: this.path(agentId), body: changes });
  }

  /** Move an agent to another number, whoever answers there. */
  relink(agentId: string, phoneNumberId: string): Promise<Agent> {
    return this.update(agentId, { phone_number_id: phoneNumberId, replace: true });
  }

  async delete(agentId: string): Promise<void> {
    await this.api.delete("/users/{user_id}/agents/{agent_id}", { path: this.path(agentId) });
  }

  addPhoneNumber(number: NewPhoneNumber) {
    return this.api.post("/users/{user_id}/phone_numbers", { path: { user_id: this.userId }, body: number });
  }

  async deletePhoneNumber(phoneNumberId: string): Promise<void> {
    const path = { user_id: this.userId, phone_number_id: phoneNumberId };
    await this.api.delete("/users/{user_id}/phone_numbers/{phone_number_id}", { path });
  }

  writePrompt(prompt: NewPrompt, idempotencyKey: string = crypto.randomUUID()) {
    return this.api.post("/users/{user_id}/prompts", {
      path: { user_id: this.userId },
      body: prompt,
      idempotencyKey,
    });
  }

  /** Publish what agents say from now on. */
  publish(promptId: string, version: NewVersion, idempotencyKey: string = crypto.randomUUID()) {
    return this.api.post("/users/{user_id}/prompts/{prompt_id}/versions", {
      path: { user_id: this.userId, prompt_id: promptId },
      body: version,
      idempotencyKey,
    });
  }

  private path(agentId: string) {
    return { user_id: this.userId, agent_id: agentId };
  }
}

// Does with the clients of documentation/examples/typescript what a business does; copied beside them to be run.

import { Api, ProblemError } from "./http.js";
import { AgentClient } from "./agent_client.js";
import { LeadClient } from "./lead_client.js";
import { MessageClient } from "./message_client.js";

declare const process: { env: Record<string, string> };
const { BASE_URL = "", OPERATOR_KEY = "", SIMULATOR_URL = "", NUMBER = "" } = process.env;
const operatorApi = new Api({ baseUrl: BASE_URL, apiKey: OPERATOR_KEY });

const user = await operatorApi.post("/users", { body: { email: `${NUMBER}@example.com`, company_name: "Bakery" } });
const path = { user_id: user.user_id };
const grant = { path, body: { kind: "grant", amount: 10, reason: "an example" }, idempotencyKey: "grant" } as const;
const lines = [await operatorApi.post("/users/{user_id}/credits", grant)];
lines.push(await operatorApi.post("/users/{user_id}/credits", grant));

const api = new Api({ baseUrl: BASE_URL, apiKey: user.api_key.key });
const agents = new AgentClient(api, user.user_id);
const leads = new LeadClient(api, user.user_id);
const messages = new MessageClient(api, user.user_id);
await agents.addPhoneNumber({ phone_number_id: NUMBER, type: "whatsapp", access_token: "any" });
const prompt = await agents.writePrompt({ name: "Bakery", instructions: "Be short." });
const version = await agents.publish(prompt.prompt_id, { instructions: "Be very short." });
const agent = await agents.create({ name: "Bakery", prompt_id: prompt.prompt_id, phone_number_id: NUMBER });
for (const name of ["b", "c"]) await agents.create({ name, prompt_id: prompt.prompt_id });

let refused: unknown;
try {
  await agents.create({ name: "again", prompt_id: prompt.prompt_id, phone_number_id: NUMBER });
} catch (error) {
  if (!(error instanceof ProblemError)) throw error;
  refused = [error.status, error.code];
}
const names: string[] = [];
for await (const each of api.each("/users/{user_id}/agents", { path, query: { limit: 1 } })) names.push(each.name);

const body = JSON.stringify({ from: "+12025550143", text: "Do you bake rye bread? ada@example.com", phone_number_id: NUMBER });
const ended = new AbortController();
const since = new Date(Date.now() - 60_000);
await fetch(`${SIMULATOR_URL}/_simulator/deliver`, { method: "POST", body });
const said: string[] = [];
for await (const message of messages.follow(ended.signal, { since, seconds: 0.2 })) {
  said.push(message.author);
  if (message.author === "ai") await messages.reply(message.conversation_id, "Fresh from seven on.");
  if (message.author === "staff") ended.abort();
}
const [conversation] = await Array.fromAsync(messages.conversations({ phone_number_id: NUMBER }));
const resumed = conversation && (await messages.resume(conversation.conversation_id));
const reading = conversation && (await leads.read(conversation.conversation_id, { seconds: 0.2 }));
const lead = reading && (await leads.correct(reading.extraction_id, { company: "Bakers Ltd" }));
const file = await (await leads.export({ has_email: true })).text();
for await (const each of agents.list()) await agents.delete(each.agent_id);
await agents.deletePhoneNumber(NUMBER);

console.log(JSON.stringify({
  granted: lines.map((line) => line.entry_id === lines[0]?.entry_id && line.balance_after),
  version: version.number,
  refused,
  names,
  said,
  lead: [reading?.status, lead?.company, file.includes("ada@example.com")],
  wasPaused: conversation?.paused_until !== null,
  isPaused: resumed?.paused_until !== null,
  agent: agent.phone_number_id === NUMBER,
  left: (await Array.fromAsync(agents.list())).length,
}));

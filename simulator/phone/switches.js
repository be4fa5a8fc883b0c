// The switches for trouble, over the simulator's behaviour.

import { attempt, byId } from "./make.js";
import { get, post } from "./wire.js";

const SLOW = { openai: 6, graph: 4 };
const TOGETHER = { batch_seconds: 2, shuffle_seconds: 3 };
const WELL = { errors: {}, drop: 0, drop_after_accept: 0, hang: 0, always: null };
// What is not an error's number.
const OTHERS = {
  hang: { hang: 1 },
  drop: { drop: 1 },
  drop_after_accept: { drop_after_accept: 1 },
  incomplete: { always: { response_status: "incomplete" } },
  failed: { always: { response_status: "failed" } },
  undeliverable: { always: { fail_status: 131026 } },
};
let usual = { openai: 0.2, graph: 0.02 };

const field = (name) => byId("switch-form").elements[name];
const ways = (how) => ({ ...WELL, ...(OTHERS[how] || (how ? { errors: { [how]: 1 } } : {})) });

function wanted(name) {
  return { latency: field(`${name}_slow`).checked ? SLOW[name] : usual[name], ...ways(field(name).value) };
}

function isSo(section, how) {
  return Object.entries(ways(how)).every(([key, value]) => JSON.stringify(section[key]) === JSON.stringify(value));
}

/** Show the behaviour as it is, whoever changed it. */
export function show(behaviour) {
  for (const name of ["openai", "graph"]) {
    field(`${name}_slow`).checked = behaviour[name].latency === SLOW[name];
    for (const radio of field(name)) radio.checked = isSo(behaviour[name], radio.value);
  }
  for (const name of Object.keys(TOGETHER)) field(name).checked = behaviour[name] > 0;
  field("deliver_twice").checked = behaviour.deliver_twice;
  field("no_statuses").checked = !behaviour.statuses;
  field("no_dashboard_prompts").checked = !behaviour.dashboard_prompts;
  warn();
}

/** Say above everything which switches are on. */
function warn() {
  const on = [...byId("switch-form").querySelectorAll("fieldset")].flatMap((group) => {
    const boxes = [...group.querySelectorAll("input:checked")].filter((box) => box.value !== "");
    const words = boxes.map((box) => box.parentElement.textContent.trim());
    return words.length ? [`${group.querySelector("legend").textContent}: ${words.join(", ")}`] : [];
  });
  byId("trouble").hidden = !on.length;
  byId("trouble-words").textContent = on.join(" · ");
}

function apply() {
  const update = { openai: wanted("openai"), graph: wanted("graph"), deliver_twice: field("deliver_twice").checked, statuses: !field("no_statuses").checked, dashboard_prompts: !field("no_dashboard_prompts").checked };
  for (const [name, seconds] of Object.entries(TOGETHER)) update[name] = field(name).checked ? seconds : 0;
  return attempt(() => post("/_simulator/behaviour", update));
}

function mend() {
  byId("switch-form").reset();
  return apply();
}

/** Ask how the behaviour is; `latency` is the usual one. */
export async function refresh(latency) {
  usual = latency;
  show(await get("/_simulator/behaviour"));
}

/** Make the switches work. */
export function start() {
  byId("switch-form").addEventListener("change", apply);
  byId("switch-form").addEventListener("submit", (event) => event.preventDefault());
  byId("all-well").addEventListener("click", mend);
  byId("no-trouble").addEventListener("click", mend);
  byId("forget").addEventListener("click", () => attempt(() => post("/_simulator/reset", {})));
}

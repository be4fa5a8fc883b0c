// The switches for trouble, over the simulator's behaviour.

import { attempt, byId } from "./make.js";
import { get, post } from "./wire.js";

const SLOW = { openai: 6, graph: 4 };
const DROPS = { openai: "drop", graph: "drop_after_accept" };
let usual = { openai: 0.2, graph: 0.02 };

const field = (name) => byId("switch-form").elements[name];

function wanted(name) {
  const how = field(name).value;
  return {
    latency: field(`${name}_slow`).checked ? SLOW[name] : usual[name],
    errors: how && how !== DROPS[name] ? { [how]: 1 } : {},
    [DROPS[name]]: how === DROPS[name] ? 1 : 0,
  };
}

function show(behaviour) {
  for (const name of ["openai", "graph"]) {
    const section = behaviour[name];
    const how = section[DROPS[name]] ? DROPS[name] : Object.keys(section.errors)[0] || "";
    field(`${name}_slow`).checked = section.latency === SLOW[name];
    const option = [...field(name)].find((radio) => radio.value === how);
    for (const radio of field(name)) radio.checked = radio === option;
  }
  field("deliver_twice").checked = behaviour.deliver_twice;
  field("no_statuses").checked = !behaviour.statuses;
  byId("trouble").hidden = !byId("switch-form").querySelector('input[type="checkbox"]:checked, input[type="radio"]:checked:not([value=""])');
}

function apply() {
  const update = { openai: wanted("openai"), graph: wanted("graph"), deliver_twice: field("deliver_twice").checked, statuses: !field("no_statuses").checked };
  return attempt(async () => show(await post("/_simulator/behaviour", update)));
}

/** Show the behaviour as it is. */
export async function refresh(latency) {
  usual = latency;
  show(await get("/_simulator/behaviour"));
}

/** Make the switches work. */
export function start() {
  byId("switch-form").addEventListener("change", apply);
  byId("switch-form").addEventListener("submit", (event) => event.preventDefault());
  byId("all-well").addEventListener("click", () => {
    byId("switch-form").reset();
    apply();
  });
  byId("forget").addEventListener("click", () => attempt(() => post("/_simulator/reset", {})));
}

// Makes elements; what others wrote only ever becomes text.

export const byId = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

export function icon(name, properties = {}) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  for (const [key, value] of Object.entries(properties)) svg.setAttribute(key, value);
  svg.append(use);
  return svg;
}

export const clock = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

let hiding;

/** Say something for a few seconds. */
export function notice(text) {
  const box = byId("notice");
  box.textContent = text;
  box.classList.add("is-shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => box.classList.remove("is-shown"), 5000);
}

/** Do it, and say what went wrong. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    notice(error.message);
    return null;
  }
}

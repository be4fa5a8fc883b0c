// Asks for what is needed to send something.

import { byId, make } from "./make.js";

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

/**
 * Ask for some fields, and give what was said, or null.
 *
 * A field is {name, label, value, kind ("text", "long", "number"), options, optional}.
 */
export function ask(title, fields, send = "Send") {
  const dialog = byId("form-sheet");
  const inputs = fields.map((field) => [field, input(field)]);
  byId("form-title").textContent = title;
  byId("form-send").textContent = send;
  byId("form-fields").replaceChildren(...inputs.map(([field, element]) => make("label", { class: "field" }, field.label, element)));
  dialog.returnValue = "";
  dialog.showModal();
  inputs[0]?.[1].focus();
  return new Promise((resolve) => {
    dialog.querySelector("form").onsubmit = (event) => {
      const bad = inputs.find(([, element]) => !element.reportValidity());
      if (bad) event.preventDefault();
      else dialog.returnValue = "send";
    };
    byId("form-cancel").onclick = () => dialog.close("");
    dialog.onclose = () => resolve(dialog.returnValue ? said(inputs) : null);
  });
}

/** Let one of several rows be pressed, and give it, or undefined. */
export function choose(title, rows) {
  const dialog = byId("rows-sheet");
  byId("rows-title").textContent = title;
  byId("rows").replaceChildren(...rows.map((row, index) => make("button", { value: String(index) }, make("b", {}, row.title), row.description ? make("small", {}, row.description) : null)));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue ? rows[Number(dialog.returnValue)] : undefined);
  });
}

function input({ kind, value = "", options, optional }) {
  if (options) return make("select", {}, ...options.map(([key, words]) => make("option", { value: key }, words)));
  const element = kind === "long" ? make("textarea", { required: !optional }) : make("input", { type: kind || "text", step: "any", required: !optional });
  element.value = value;
  return element;
}

function said(inputs) {
  const answer = {};
  for (const [{ name, kind }, { value }] of inputs) {
    if (value.trim()) answer[name] = kind === "number" ? Number(value) : value.trim();
  }
  return answer;
}

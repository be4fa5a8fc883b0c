// Where the visitor writes.

/**
 * @param {{words: Words, placeholder: string, onSend: (text: string, picture: Picture | null) => void,
 *   onNotice: (word: keyof Words | null) => void}} parts
 */
function openComposer({ words, placeholder, onSend, onNotice }) {
  const field = make("textarea", {
    rows: "1",
    dir: "auto",
    enterkeyhint: "send",
    autocomplete: "off",
    placeholder,
    "aria-label": placeholder,
  });
  const file = make("input", { type: "file", accept: KINDS.join(","), hidden: true });
  const attach = make("button", { type: "button", class: "round", "aria-label": words.attach }, icon(ICONS.picture));
  const send = make("button", { type: "submit", class: "round send", "aria-label": words.send }, icon(ICONS.send));
  const preview = make("div", { class: "preview", hidden: true });
  const element = make("form", {}, preview, make("div", { class: "writing" }, attach, field, send, file));
  element.noValidate = true;
  /** @type {Picture | null} */
  let picture = null;

  function fit() {
    send.disabled = !field.value.trim() && !picture;
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, 140)}px`;
    field.style.overflowY = field.scrollHeight > 140 ? "auto" : "hidden";
  }

  /** @param {Picture | null} taken */
  async function choose(taken) {
    picture = taken;
    preview.hidden = !taken;
    preview.replaceChildren();
    if (taken) {
      const canvas = make("canvas", { role: "img", "aria-label": words.picture });
      const remove = make("button", { type: "button", "aria-label": words.remove }, icon(ICONS.close));
      remove.addEventListener("click", () => {
        void choose(null);
        field.focus();
      });
      preview.append(canvas, remove);
      await paint(canvas, asBlob(taken), 160);
    }
    fit();
  }

  /** @param {File | null | undefined} chosen */
  async function take(chosen) {
    if (!chosen) return;
    const taken = await takePicture(chosen);
    onNotice(taken ? null : "bad_picture");
    if (taken) await choose(taken);
    field.focus();
  }

  function submit() {
    const text = field.value.trim();
    if (!text && !picture) return;
    if ([...text].length > MOST_CHARACTERS) {
      onNotice("too_long");
      return;
    }
    onNotice(null);
    onSend(text, picture);
    clear();
    field.focus();
  }

  function clear() {
    field.value = inTab("text", "");
    void choose(null);
  }

  element.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  field.addEventListener("input", () => {
    inTab("text", field.value);
    fit();
    if ([...field.value].length <= MOST_CHARACTERS) onNotice(null);
  });
  field.addEventListener("keydown", (event) => {
    // While a word is being composed, Enter only ends it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    submit();
  });
  field.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    // Office programs give a picture of their text along with it.
    if (!pasted || event.clipboardData?.getData("text/plain")) return;
    event.preventDefault();
    void take(pasted);
  });
  attach.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    void take(file.files?.[0]);
    file.value = "";
  });
  field.value = inTab("text");
  fit();
  return { element, take, clear, focus: () => field.focus({ preventScroll: true }), fit };
}

// Markdown as models write it, made into elements. What is not known here stays text.

const MOST_MARKDOWN = 20_000;
const DEEPEST = 6;
// A text made only of signs must not keep the page busy.
const MOST_TRIES = 50;
const LINK = /!?\[([^[\]\n]{0,1000})\]\(\s*<?([^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?:\s+"[^"\n]*")?\s*\)/y;
// Signs that turn the direction of text would show another address than where it leads.
const ADDRESS = /https?:\/\/[^\s<>"'`\u200e\u200f\u202a-\u202e\u2066-\u2069]+/y;
const ENCLOSED = /<((?:https?:\/\/|mailto:)[^\s<>]+)>/y;
const SPECIAL = /[\\`*_[!<h]/g;
const WORD = /[\p{L}\p{N}_]/u;
const ITEM = /^(\s*)(?:[-*+•]|(\d{1,9})[.)])\s+(.*)$/;
const FENCE = /^\s*(`{3,}|~{3,})/;
const QUOTE = /^\s*> ?/;
const RULE = /^\s*(-{3,}|\*{3,}|_{3,})\s*$/;
const COLUMNS = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const HEADING = /^\s*#{1,6}\s+(.+?)\s*#*$/;

/**
 * Give what a text says as elements.
 * @param {string} text
 * @returns {Node[]}
 */
function fromMarkdown(text) {
  if (text.length > MOST_MARKDOWN) return [make("p", { class: "plain" }, text)];
  return blocks(text.split(/\r\n?|\n/), 0);
}

/** @param {string[]} lines @param {number} depth @returns {Node[]} */
function blocks(lines, depth) {
  /** @type {Node[]} */
  const made = [];
  /** @type {string[]} */
  let paragraph = [];
  const end = () => {
    if (paragraph.length) made.push(make("p", {}, ...inline(paragraph.join("\n"), 0)));
    paragraph = [];
  };
  for (let n = 0; n < lines.length; ) {
    const line = lines[n] ?? "";
    const fence = FENCE.exec(line)?.[1];
    const heading = HEADING.exec(line)?.[1];
    if (fence) {
      end();
      let last = n + 1;
      while (last < lines.length && !(lines[last] ?? "").trim().startsWith(fence)) last++;
      const code = make("code", {}, lines.slice(n + 1, last).join("\n"));
      made.push(make("pre", { dir: "ltr", tabindex: "0" }, code));
      n = last + 1;
    } else if (RULE.test(line)) {
      end();
      made.push(make("hr"));
      n++;
    } else if (ITEM.test(line) && depth < DEEPEST) {
      end();
      const last = endOfList(lines, n);
      made.push(list(lines.slice(n, last), depth));
      n = last;
    } else if (QUOTE.test(line) && depth < DEEPEST) {
      end();
      const first = n;
      while (QUOTE.test(lines[n] ?? "")) n++;
      const said = lines.slice(first, n).map((one) => one.replace(QUOTE, ""));
      made.push(make("blockquote", {}, ...blocks(said, depth + 1)));
    } else if (line.includes("|") && /-.*\||\|.*-/.test(lines[n + 1] ?? "") && COLUMNS.test(lines[n + 1] ?? "")) {
      end();
      const first = n;
      while (lines[n]?.includes("|")) n++;
      made.push(table(lines.slice(first, n)));
    } else {
      if (!line.trim() || heading) end();
      if (heading) made.push(make("p", {}, make("strong", {}, ...inline(heading, 0))));
      else if (line.trim()) paragraph.push(line);
      n++;
    }
  }
  end();
  return made;
}

/** @param {string[]} lines of which the second says where the columns are */
function table(lines) {
  const rows = lines.map((line, n) => {
    const cells = line.trim().replace(/^\||(?<!\\)\|$/g, "").split(/(?<!\\)\|/);
    return make("tr", {}, ...cells.map((cell) => make(n ? "td" : "th", {}, ...inline(cell.trim(), 0))));
  });
  rows.splice(1, 1);
  return make("div", { class: "wide", tabindex: "0" }, make("table", {}, ...rows));
}

/** @param {string[]} lines @param {number} start */
function endOfList(lines, start) {
  let last = start + 1;
  for (; last < lines.length; last++) {
    const line = lines[last] ?? "";
    const goesOn = ITEM.test(line) || /^\s{2,}\S/.test(line);
    const isGap = !line.trim() && ITEM.test(lines[last + 1] ?? "");
    if (!goesOn && !isGap) break;
  }
  return last;
}

/** @param {string[]} lines @param {number} depth */
function list(lines, depth) {
  const first = ITEM.exec(lines[0] ?? "");
  const indent = first?.[1]?.length ?? 0;
  const number = first?.[2];
  const made = number ? make("ol", { start: number }) : make("ul");
  /** @type {string[][]} */
  const items = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && (item[1]?.length ?? 0) <= indent + 1) items.push([item[3] ?? ""]);
    else items.at(-1)?.push(line.slice(Math.min(indent + 2, line.search(/\S|$/))));
  }
  for (const [text = "", ...rest] of items) {
    made.append(make("li", {}, ...inline(text, 0), ...(rest.length ? blocks(rest, depth + 1) : [])));
  }
  return made;
}

/** @param {string} text @param {number} depth @returns {Node[]} */
function inline(text, depth) {
  /** @type {(Node | string)[]} */
  const parts = [];
  let done = 0;
  SPECIAL.lastIndex = 0;
  for (let found = depth < DEEPEST ? SPECIAL.exec(text) : null; found; found = special(text, SPECIAL.lastIndex)) {
    const at = found.index;
    const [node, end] = piece(text, at, depth);
    if (node !== null) {
      parts.push(text.slice(done, at), node);
      done = end;
    }
    SPECIAL.lastIndex = end;
  }
  parts.push(text.slice(done));
  return broken(parts);
}

/** @param {string} text @param {number} from */
function special(text, from) {
  SPECIAL.lastIndex = from;
  return SPECIAL.exec(text);
}

/**
 * Read what begins at a special character.
 * @param {string} text @param {number} at @param {number} depth
 * @returns {[Node | string | null, number]} null: it is only a character; and where to go on
 */
function piece(text, at, depth) {
  const sign = text.charAt(at);
  if (sign === "\\" && /[\\`*_[\]!<>#()~|-]/.test(text.charAt(at + 1))) return [text.charAt(at + 1), at + 2];
  if (sign === "`") return code(text, at);
  if (sign === "*" || sign === "_") return emphasis(text, at, depth);
  if (sign === "h") return bare(text, at);
  const pattern = sign === "<" ? ENCLOSED : LINK;
  pattern.lastIndex = at;
  const found = pattern.exec(text);
  if (!found) return [null, at + 1];
  const href = (sign === "<" ? found[1] : found[2]) ?? "";
  const name = sign === "<" ? href : found[1] || href;
  const inside = sign === "<" ? [name] : inline(name, depth + 1);
  // No link in a link.
  const isPlain = inside.some((node) => node instanceof Element && (node.matches("a") || node.querySelector("a")));
  const made = link(href, isPlain ? [name] : inside);
  return made ? [made, at + found[0].length] : [null, at + 1];
}

/** @param {string} text @param {number} at @returns {[Node | null, number]} */
function code(text, at) {
  let end = at;
  while (text.charAt(end) === "`") end++;
  const close = text.indexOf(text.slice(at, end), end);
  if (close < 0) return [null, end];
  const inside = text.slice(end, close);
  return [make("code", { dir: "ltr" }, inside.trim() || inside), close + end - at];
}

/** @param {string} text @param {number} at @param {number} depth @returns {[Node | null, number]} */
function emphasis(text, at, depth) {
  const sign = text.charAt(at);
  let end = at;
  while (text.charAt(end) === sign) end++;
  const length = Math.min(end - at, 3);
  const opens = /\S/.test(text.charAt(end)) && !(sign === "_" && WORD.test(text.charAt(at - 1)));
  if (!opens || end - at > 3) return [null, end];
  const mark = sign.repeat(length);
  let tries = MOST_TRIES;
  for (let close = text.indexOf(mark, end); close >= 0 && tries--; close = text.indexOf(mark, close + 1)) {
    const after = text.charAt(close + length);
    const isInside = sign === "_" && WORD.test(after);
    if (/\S/.test(text.charAt(close - 1)) && after !== sign && !isInside) {
      const inside = inline(text.slice(end, close), depth + 1);
      const strong = length > 1 ? [make("strong", {}, ...inside)] : inside;
      const made = length === 2 ? /** @type {Node} */ (strong[0]) : make("em", {}, ...strong);
      return [made, close + length];
    }
    if (after === sign) while (text.charAt(close + 1) === sign) close++;
  }
  return [null, end];
}

/** @param {string} text @param {number} at @returns {[Node | null, number]} */
function bare(text, at) {
  ADDRESS.lastIndex = at;
  let href = WORD.test(text.charAt(at - 1)) ? undefined : ADDRESS.exec(text)?.[0];
  if (!href) return [null, at + 1];
  href = href.replace(/[.,;:!?*_\]]+$/, "");
  while (href.endsWith(")") && href.split(")").length > href.split("(").length) href = href.slice(0, -1);
  const made = link(href, [href]);
  return made ? [made, at + href.length] : [null, at + 1];
}

/** @param {string} href @param {(Node | string)[]} children @returns {Node | null} */
function link(href, children) {
  let url;
  try {
    url = new URL(href);
  } catch {
    return null;
  }
  // Nothing that runs, and nothing that looks as if it led to another host.
  if (!/^(https?|mailto):$/.test(url.protocol) || url.username || url.password) return null;
  return make(
    "a",
    { href: url.href, title: url.href, target: "_blank", rel: "noopener noreferrer nofollow" },
    ...children,
  );
}

/** Put a line break for each newline in the texts. @param {(Node | string)[]} parts @returns {Node[]} */
function broken(parts) {
  return parts.flatMap((part) => {
    if (typeof part !== "string") return [part];
    return part
      .split("\n")
      .flatMap((line, n) => (n ? [make("br"), new Text(line)] : [new Text(line)]))
      .filter((node) => node instanceof HTMLElement || node.data);
  });
}

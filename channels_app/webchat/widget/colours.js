// The business's colour, and colours that can be read on and beside it.

const LIGHT = [255, 255, 255];
const DARK = [23, 24, 28];
// WCAG 2, 1.4.3
const READABLE = 4.5;

/** @param {string} hex @returns {number[]} */
function rgb(hex) {
  const digits = /^#([0-9a-f]{6})$/i.exec(hex)?.[1] ?? "2f5bd8";
  return [0, 2, 4].map((n) => parseInt(digits.slice(n, n + 2), 16));
}

/** @param {number[]} colour @returns {number} */
function luminance(colour) {
  const [red = 0, green = 0, blue = 0] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** @param {number[]} one @param {number[]} other */
function contrast(one, other) {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** Change a colour as little as makes it readable on a ground. @param {number[]} colour @param {number[]} ground */
function readableOn(colour, ground) {
  const goal = luminance(ground) > 0.3 ? 0 : 255;
  let made = colour;
  for (let n = 0; n < 20 && contrast(made, ground) < READABLE; n++) {
    made = made.map((part) => Math.round(part + (goal - part) * 0.15));
  }
  return made;
}

/** Give the rules for a colour. @param {string} hex @returns {string} */
function colourRules(hex) {
  const colour = rgb(hex);
  // One of both can always be read.
  const on = contrast(colour, LIGHT) >= READABLE ? LIGHT : [0, 0, 0];
  // Links stand in bubbles, which are a little darker, or lighter, than the panel.
  const link = readableOn(colour, [236, 238, 242]);
  const linkInDark = readableOn(colour, [44, 47, 55]);
  // A white bubble on white needs a line around it.
  const edge = contrast(colour, LIGHT) < 1.5 ? "inset 0 0 0 1px rgb(0 0 0/20%)" : "0 0 #0000";
  const text = (/** @type {number[]} */ parts) => `rgb(${parts.join(" ")})`;
  return (
    `.wc{--brand:${text(colour)};--on:${text(on)};--link:${text(link)};--edge:${edge}}` +
    `.wc.dark{--link:${text(linkInDark)};--ring:${text(readableOn(colour, DARK))}}`
  );
}

// Pictures: made smaller before they are sent, and painted on a canvas, which no page's policy forbids.

const KINDS = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const MOST_BYTES = 5 * 1024 * 1024;
const LARGE_BYTES = 600_000;
const LONGEST_SIDE = 1600;
const SHOWN_WIDTH = 480;

/**
 * Make a file ready to be sent.
 * @param {File} file
 * @returns {Promise<Picture | null>} null: it is no picture that may be sent
 */
async function takePicture(file) {
  if (!KINDS.includes(file.type)) return null;
  /** @type {Blob} */
  let blob = file;
  try {
    const bitmap = await createImageBitmap(file);
    const isLarge = file.size > LARGE_BYTES || Math.max(bitmap.width, bitmap.height) > LONGEST_SIDE;
    if (isLarge && file.type !== "image/gif") blob = await shrunk(bitmap);
    bitmap.close();
    if (blob.size > MOST_BYTES) return null;
    return { type: blob.type, data: await asBase64(blob) };
  } catch {
    return null;
  }
}

/** @param {ImageBitmap} bitmap @returns {Promise<Blob>} */
async function shrunk(bitmap) {
  const canvas = make("canvas");
  draw(canvas, bitmap, Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height)), "#fff");
  return new Promise((resolve, reject) => {
    canvas.toBlob((made) => (made ? resolve(made) : reject(new Error("no picture"))), "image/jpeg", 0.85);
  });
}

/** @param {HTMLCanvasElement} canvas @param {ImageBitmap} bitmap @param {number} scale @param {string} [ground] */
function draw(canvas, bitmap, scale, ground) {
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.imageSmoothingQuality = "high";
  if (ground) {
    pen.fillStyle = ground;
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
}

/** @param {Blob} blob @returns {Promise<string>} */
async function asBase64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let n = 0; n < bytes.length; n += 8192) text += String.fromCharCode(...bytes.subarray(n, n + 8192));
  return btoa(text);
}

/** @param {Picture} picture */
function asBlob({ type, data }) {
  return new Blob([Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0))], { type });
}

/**
 * Paint a picture.
 * @param {HTMLCanvasElement} canvas
 * @param {Blob} blob
 * @param {number} [width] in which it is shown
 * @throws if it is none
 */
async function paint(canvas, blob, width = SHOWN_WIDTH) {
  const bitmap = await createImageBitmap(blob);
  draw(canvas, bitmap, Math.min(1, width / bitmap.width));
  bitmap.close();
}

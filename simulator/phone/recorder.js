// Records a voice note as a file that any phone could have sent.

/** Start recording; `stop` gives the file, `drop` forgets it. */
export async function record() {
  if (!navigator.mediaDevices || !window.MediaRecorder) throw new Error("This browser cannot record; there is a sample voice note under +.");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    throw new Error(`There is no microphone to be used (${error.name}); there is a sample voice note under +.`);
  }
  const isOgg = MediaRecorder.isTypeSupported("audio/ogg;codecs=opus");
  const recorder = new MediaRecorder(stream, isOgg ? { mimeType: "audio/ogg;codecs=opus" } : {});
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.start();
  const ended = new Promise((resolve) => (recorder.onstop = resolve));
  const end = async () => {
    recorder.stop();
    await ended;
    for (const track of stream.getTracks()) track.stop();
  };
  return {
    drop: end,
    async stop() {
      await end();
      const whole = new Blob(parts, { type: recorder.mimeType.split(";")[0] });
      return isOgg ? whole : wave(await whole.arrayBuffer());
    },
  };
}

/** Meta knows no WebM: make it plain 16 kHz samples. */
async function wave(encoded) {
  const context = new AudioContext();
  const decoded = await context.decodeAudioData(encoded);
  await context.close();
  const rate = 16000;
  const offline = new OfflineAudioContext(1, Math.max(1, Math.ceil(decoded.duration * rate)), rate);
  const source = new AudioBufferSourceNode(offline, { buffer: decoded });
  source.connect(offline.destination);
  source.start();
  const samples = (await offline.startRendering()).getChannelData(0);
  const file = new DataView(new ArrayBuffer(44 + samples.length * 2));
  const word = (at, text) => [...text].forEach((letter, index) => file.setUint8(at + index, letter.charCodeAt(0)));
  word(0, "RIFF");
  file.setUint32(4, 36 + samples.length * 2, true);
  word(8, "WAVEfmt ");
  [[16, 16], [24, rate], [28, rate * 2], [40, samples.length * 2]].forEach(([at, value]) => file.setUint32(at, value, true));
  [[20, 1], [22, 1], [32, 2], [34, 16]].forEach(([at, value]) => file.setUint16(at, value, true));
  word(36, "data");
  samples.forEach((sample, index) => file.setInt16(44 + index * 2, Math.max(-1, Math.min(1, sample)) * 0x7fff, true));
  return new Blob([file], { type: "audio/wav" });
}

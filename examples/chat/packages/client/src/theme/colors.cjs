// CommonJS, since Tailwind's configuration requires it as it stands, unbuilt.
const palette = {
  harbour: '#0b3c5d',
  foam: '#eef4f7',
  buoy: '#d9411e',
};

/** Turns the palette into Tailwind colours that can be overridden by a CSS variable. */
exports.createColors = function createColors() {
  return Object.fromEntries(
    Object.entries(palette).map(([name, hex]) => [name, `var(--chat-${name}, ${hex})`]),
  );
};

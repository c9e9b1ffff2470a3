const { createColors } = require('../packages/client/src/theme/colors.cjs');
const preset = require('../packages/client/tailwind.preset.cjs');

/** @type {import('tailwindcss').Config} */
module.exports = {
  // Classes that only the elements of the ui package use must be found too.
  content: ['./index.html', './src/**/*.ts', '../packages/client/src/**/*.ts'],
  presets: [preset],
  theme: {
    extend: {
      colors: createColors(),
    },
  },
};

/** @type {import('tailwindcss').Config} */
module.exports = {
  theme: {
    extend: {
      borderRadius: { bubble: '1.25rem' },
      maxWidth: { conversation: '40rem' },
    },
  },
};

import { defineConfig } from 'vite';

// The address is written into the built files: set it when building.
process.env.VITE_BACKEND_API_URI ??= process.env.BACKEND_API_URI ?? 'http://localhost:3000';

export default defineConfig({
  build: {
    outDir: './dist',
    emptyOutDir: true,
  },
});

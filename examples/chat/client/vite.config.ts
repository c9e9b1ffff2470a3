import { defineConfig } from 'vite';
import root from '../package.json' with { type: 'json' };

export default defineConfig({
  define: {
    __CHAT_VERSION__: JSON.stringify(root.version),
  },
  server: {
    proxy: { '/api': `http://localhost:${process.env.PORT ?? 3080}` },
  },
});

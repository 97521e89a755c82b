import { join } from 'node:path';
import { defineConfig } from 'vite';

export default defineConfig({
  // Yours has it from npm.
  resolve: {
    alias: { '@coatcheck/client': join(import.meta.dirname, '../../packages/client/index.ts') },
  },
  // Where `npm run example` has the service and the API, unless it was told otherwise.
  define: {
    SERVICE: JSON.stringify(process.env['SERVICE'] ?? 'http://localhost:3000'),
    API: JSON.stringify(process.env['API'] ?? 'http://localhost:4000'),
  },
  server: { host: '127.0.0.1' },
  cacheDir: join(import.meta.dirname, '../../node_modules/.vite'),
});

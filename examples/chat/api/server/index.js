import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { createConversation, InvalidDraft } from '@chat/api';
import { endpoints } from '@chat/data-provider';
import express from 'express';

const { version } = createRequire(import.meta.url)('../package.json');
const clientFiles = fileURLToPath(new URL('../../client/dist', import.meta.url));
const port = Number(process.env.PORT ?? 3080);

const conversation = createConversation();
const server = express();

server.disable('x-powered-by');
server.use(express.json({ limit: '16kb' }));

server.get('/health', (_request, response) => {
  response.json({ status: 'ok' });
});
server.get(endpoints.config, (_request, response) => {
  response.json({ version, environment: process.env.NODE_ENV ?? 'development' });
});
server.get(endpoints.messages, (_request, response) => {
  response.json(conversation.messages());
});
server.post(endpoints.messages, (request, response) => {
  response.status(201).json(conversation.say(request.body));
});
server.use('/api', (_request, response) => {
  response.status(404).json({ error: 'no such endpoint' });
});

if (existsSync(clientFiles)) {
  server.use(express.static(clientFiles));
  // Paths that no file answers are the front end's own routes.
  server.get('/{*path}', (_request, response) => {
    response.sendFile('index.html', { root: clientFiles });
  });
} else {
  console.warn(`${clientFiles} is not there: serving the API only`);
}

server.use((error, _request, response, _next) => {
  const status = error instanceof InvalidDraft ? 422 : (error.status ?? 500);
  if (status >= 500) {
    console.error(error);
  }
  response.status(status).json({ error: status < 500 ? error.message : 'internal error' });
});

const listener = server.listen(port, (error) => {
  if (error) {
    throw error;
  }
  console.log(`chat ${version} listens on port ${port}`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    listener.close(() => process.exit(0));
    listener.closeIdleConnections();
  });
}

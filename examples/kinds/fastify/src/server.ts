import { tideAt } from '@kinds/tides';
import Fastify from 'fastify';

const server = Fastify({ logger: true });

server.get('/health', () => ({ status: 'ok' }));

server.get<{ Params: { hour: string } }>('/tides/:hour', (request) => tideAt(Number(request.params.hour)));

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void server.close());
}

await server.listen({ host: process.env.HOST ?? 'localhost', port: Number(process.env.PORT ?? 3001) });

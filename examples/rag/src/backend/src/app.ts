import cors from '@fastify/cors';
import type { FastifyPluginAsync } from 'fastify';
import { answer } from './answer.js';
import { loadPassages } from './passages.js';

// Read at run time from the package's own folder, so the image must hold it.
const documents = new URL('../data/', import.meta.url);

const question = {
  type: 'object',
  required: ['question'],
  properties: { question: { type: 'string', minLength: 1, maxLength: 500 } },
} as const;

const app: FastifyPluginAsync = async (fastify, _options) => {
  const passages = await loadPassages(documents);
  fastify.log.info(`${passages.length} passages loaded`);

  await fastify.register(cors);

  fastify.get('/', async () => ({ message: 'server up', passages: passages.length }));

  fastify.post<{ Body: { question: string } }>(
    '/chat',
    { schema: { body: question } },
    async (request) => answer(request.body.question, passages),
  );
};

export default app;

import type { FastifyPluginAsync } from 'fastify';
import { lexer } from 'marked';

const app: FastifyPluginAsync = async (fastify, _options) => {
  fastify.addContentTypeParser('text/markdown', { parseAs: 'string' }, (_request, body, done) => {
    done(null, body);
  });

  fastify.get('/', async () => ({ message: 'server up' }));

  fastify.post<{ Body: string }>('/documents', async (request) => {
    const passages = lexer(request.body).flatMap((token) =>
      token.type === 'paragraph' ? [token.text as string] : [],
    );
    return { passages };
  });
};

export default app;

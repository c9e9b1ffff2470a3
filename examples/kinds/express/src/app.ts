import { tideAt } from '@kinds/tides';
import express, { type Express } from 'express';

/** Answers, without listening yet. */
export function app(): Express {
  const app = express();
  app.get('/health', (_request, response) => {
    response.json({ status: 'ok' });
  });
  app.get('/tides/:hour', (request, response) => {
    const tide = tideAt(Number(request.params.hour));
    response.type('text/plain').send(`${tide.word}, ${tide.level} cm\n`);
  });
  return app;
}

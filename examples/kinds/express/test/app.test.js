import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { app } from '../dist/app.js';

test('a tide is told in words', async (context) => {
  const server = app().listen(0, '127.0.0.1');
  // However it ends: what still listens would keep the tests from ending.
  context.after(() => server.close().closeAllConnections());
  await once(server, 'listening');
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/tides/6.21`);
  assert.equal(await answer.text(), 'low water, 20 cm\n');
});

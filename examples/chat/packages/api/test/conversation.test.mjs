import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConversation, InvalidDraft } from '@chat/api';

const noon = () => new Date('2025-06-01T12:00:00Z');

test('a conversation opens with a greeting', () => {
  const [greeting] = createConversation(noon).messages();
  assert.deepEqual(greeting, {
    id: 1,
    author: 'assistant',
    text: 'Welcome aboard. Say something.',
    sentAt: '2025-06-01T12:00:00.000Z',
  });
});

test('what is said is answered and kept', () => {
  const conversation = createConversation(noon);
  const said = conversation.say({ text: ' hello there ' });
  assert.deepEqual(
    said.map(({ author, text }) => [author, text]),
    [
      ['user', 'hello there'],
      ['assistant', 'You said "hello there": 2 words.'],
    ],
  );
  assert.equal(conversation.messages().length, 3);
});

test('a draft without text is refused', () => {
  assert.throws(() => createConversation(noon).say({ text: '  ' }), InvalidDraft);
  assert.throws(() => createConversation(noon).say(null), InvalidDraft);
});

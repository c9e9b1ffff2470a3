import { maxMessageLength, type Draft } from '@chat/data-provider';

export class InvalidDraft extends Error {
  override name = 'InvalidDraft';
}

/** Takes the parsed body of a request and returns the draft in it, trimmed. */
export function parseDraft(body: unknown): Draft {
  if (typeof body !== 'object' || body === null || !('text' in body)) {
    throw new InvalidDraft('a message needs a `text`');
  }
  if (typeof body.text !== 'string' || body.text.trim() === '') {
    throw new InvalidDraft('`text` must be a string that is not empty');
  }
  if (body.text.length > maxMessageLength) {
    throw new InvalidDraft(`\`text\` is longer than ${maxMessageLength} characters`);
  }
  return { text: body.text.trim() };
}

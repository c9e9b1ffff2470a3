import type { Author, Message } from '@chat/data-provider';
import { parseDraft } from '@chat/data-schemas';

export { InvalidDraft } from '@chat/data-schemas';

export interface Conversation {
  messages(): Message[];
  /** Adds what the user wrote and the answer to it; throws `InvalidDraft`. */
  say(body: unknown): Message[];
}

export function createConversation(now: () => Date = () => new Date()): Conversation {
  const messages: Message[] = [];

  function add(author: Author, text: string): Message {
    const message = { id: messages.length + 1, author, text, sentAt: now().toISOString() };
    messages.push(message);
    return message;
  }

  add('assistant', 'Welcome aboard. Say something.');

  return {
    messages: () => [...messages],
    say: (body) => {
      const { text } = parseDraft(body);
      return [add('user', text), add('assistant', answer(text))];
    },
  };
}

function answer(text: string): string {
  const words = text.split(/\s+/).length;
  return `You said "${text}": ${words} ${words === 1 ? 'word' : 'words'}.`;
}

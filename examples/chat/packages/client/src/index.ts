import type { Message } from '@chat/data-provider';

/** Makes the element that shows one message. */
export function bubble(message: Message): HTMLElement {
  const element = document.createElement('p');
  const side = message.author === 'user' ? 'self-end bg-harbour text-foam' : 'self-start bg-white';
  element.className = `rounded-bubble px-4 py-2 shadow ${side}`;
  element.title = message.sentAt;
  element.textContent = message.text;
  return element;
}

/** Appends messages to a log and scrolls to the last. */
export function appendTo(log: HTMLElement, messages: Message[]): void {
  log.append(...messages.map(bubble));
  log.lastElementChild?.scrollIntoView({ behavior: 'smooth' });
}

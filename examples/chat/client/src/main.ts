import './style.css';
import { createClient } from '@chat/data-provider';
import { appendTo } from '@chat/ui';

const client = createClient();
const log = document.querySelector<HTMLElement>('#log')!;
const form = document.querySelector<HTMLFormElement>('#say')!;

document.querySelector('#version')!.textContent = __CHAT_VERSION__;
appendTo(log, await client.list());

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = String(new FormData(form).get('text') ?? '');
  form.reset();
  appendTo(log, await client.send({ text }));
});

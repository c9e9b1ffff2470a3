export type Author = 'user' | 'assistant';

export interface Message {
  id: number;
  author: Author;
  text: string;
  sentAt: string;
}

export interface Draft {
  text: string;
}

export const endpoints = {
  messages: '/api/messages',
  config: '/api/config',
} as const;

export const maxMessageLength = 2000;

export interface Client {
  list(): Promise<Message[]>;
  send(draft: Draft): Promise<Message[]>;
}

export function createClient(request: typeof fetch = fetch): Client {
  async function read(response: Response): Promise<Message[]> {
    if (!response.ok) {
      throw new Error(`${response.url} answered ${response.status}`);
    }
    return (await response.json()) as Message[];
  }
  return {
    list: async () => read(await request(endpoints.messages)),
    send: async (draft) =>
      read(
        await request(endpoints.messages, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(draft),
        }),
      ),
  };
}

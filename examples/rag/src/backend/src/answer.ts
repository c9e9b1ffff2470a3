import type { Passage } from './passages.js';

export interface Answer {
  answer: string;
  sources: string[];
}

const common = new Set(
  'a an and are can do for how i in is it my of on the to we what when who you'.split(' '),
);

/** Picks the passage that shares the most words with the question. */
export function answer(question: string, passages: Passage[]): Answer {
  const asked = words(question);
  let best: { passage: Passage; score: number } | undefined;
  for (const passage of passages) {
    const found = words(passage.text);
    const score = [...asked].filter((word) => found.has(word)).length;
    if (score > (best?.score ?? 0)) {
      best = { passage, score };
    }
  }
  return best === undefined
    ? { answer: 'The documents do not say.', sources: [] }
    : { answer: best.passage.text, sources: [best.passage.source] };
}

function words(text: string): Set<string> {
  const all = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return new Set(all.filter((word) => !common.has(word)));
}

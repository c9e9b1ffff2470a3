import { readFile, readdir } from 'node:fs/promises';

export interface Passage {
  source: string;
  text: string;
}

/** Splits each Markdown file of the folder into its paragraphs. */
export async function loadPassages(folder: URL): Promise<Passage[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.md')).sort();
  const files = await Promise.all(
    names.map(async (source) => {
      const markdown = await readFile(new URL(source, folder), 'utf8');
      return markdown
        .split(/\n{2,}/)
        .map((paragraph) => paragraph.replaceAll('\n', ' ').trim())
        .filter((paragraph) => paragraph !== '' && !paragraph.startsWith('#'))
        .map((text) => ({ source, text }));
    }),
  );
  return files.flat();
}

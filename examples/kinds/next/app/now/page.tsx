// Computed again when it is asked for and older than a second; until then, it comes from where the server keeps it.
export const revalidate = 1;

export default function Page() {
  return <time>{new Date().toISOString()}</time>;
}

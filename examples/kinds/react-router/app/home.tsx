import { tideAt } from '@kinds/tides';
import { useLoaderData } from 'react-router';

export function loader() {
  return [0, 3, 6, 9].map(tideAt);
}

export default function Home() {
  return (
    <ol>
      {useLoaderData<typeof loader>().map((tide) => (
        <li key={tide.hour}>{`${tide.word}, ${tide.level} cm`}</li>
      ))}
    </ol>
  );
}

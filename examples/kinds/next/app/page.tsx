import { tideAt } from '@kinds/tides';

const HOURS = [0, 3, 6, 9];

export default function Page() {
  return (
    <main>
      <h1>Tides</h1>
      <ol>
        {HOURS.map((hour) => {
          const tide = tideAt(hour);
          return <li key={hour}>{`${tide.word}, ${tide.level} cm`}</li>;
        })}
      </ol>
    </main>
  );
}

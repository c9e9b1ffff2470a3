/** The tide at one hour after high water. */
export interface Tide {
  /** Hours after high water. */
  hour: number;
  /** Centimetres above the chart's zero. */
  level: number;
  /** What a skipper would say. */
  word: 'high water' | 'falling' | 'low water' | 'rising';
}

/** Hours from one high water to the next. */
const PERIOD = 12.42;

/** The tide `hour` hours after high water: half a wave, and a half. */
export function tideAt(hour: number): Tide {
  const phase = (((hour % PERIOD) + PERIOD) % PERIOD) / PERIOD;
  const level = Math.round(200 + 180 * Math.cos(2 * Math.PI * phase));
  return { hour, level, word: word(phase) };
}

function word(phase: number): Tide['word'] {
  if (phase < 0.05 || phase > 0.95) return 'high water';
  if (phase < 0.45) return 'falling';
  if (phase <= 0.55) return 'low water';
  return 'rising';
}

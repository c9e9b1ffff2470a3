#!/usr/bin/env node
import { tideAt } from '@kinds/tides';

const hours = process.argv.slice(2);
if (hours.length === 0) {
  console.error('usage: tides HOUR…');
  process.exit(2);
}
for (const hour of hours) {
  const tide = tideAt(Number(hour));
  console.log(`${hour} h  ${tide.level} cm  ${tide.word}`);
}

import { tideAt } from '@kinds/tides';

export default defineEventHandler((event) => tideAt(Number(getRouterParam(event, 'hour'))));

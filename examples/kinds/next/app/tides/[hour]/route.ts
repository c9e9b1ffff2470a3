import { tideAt } from '@kinds/tides';

export async function GET(_request: Request, context: { params: Promise<{ hour: string }> }) {
  const { hour } = await context.params;
  return Response.json(tideAt(Number(hour)));
}

import { tideAt } from '@kinds/tides';

export function loader({ params }: { params: { hour?: string } }) {
  return Response.json(tideAt(Number(params.hour)));
}

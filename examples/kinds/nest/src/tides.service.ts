import { Injectable } from '@nestjs/common';
import { type Tide, tideAt } from '@kinds/tides';

@Injectable()
export class TidesService {
  at(hour: number): Tide {
    return tideAt(hour);
  }
}

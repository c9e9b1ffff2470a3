import { Controller, Get, Param, ParseFloatPipe } from '@nestjs/common';
import type { Tide } from '@kinds/tides';
import { TidesService } from './tides.service.js';

@Controller()
export class TidesController {
  constructor(private readonly tides: TidesService) {}

  @Get('health')
  health(): { status: string } {
    return { status: 'ok' };
  }

  @Get('tides/:hour')
  tide(@Param('hour', ParseFloatPipe) hour: number): Tide {
    return this.tides.at(hour);
  }
}

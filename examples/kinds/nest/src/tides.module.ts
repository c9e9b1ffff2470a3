import { Module } from '@nestjs/common';
import { TidesController } from './tides.controller.js';
import { TidesService } from './tides.service.js';

@Module({ controllers: [TidesController], providers: [TidesService] })
export class TidesModule {}

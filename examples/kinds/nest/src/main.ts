import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { TidesModule } from './tides.module.js';

const app = await NestFactory.create(TidesModule);
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3003);

import { type RouteConfig, index, route } from '@react-router/dev/routes';

export default [index('home.tsx'), route('tides/:hour', 'tide.ts')] satisfies RouteConfig;

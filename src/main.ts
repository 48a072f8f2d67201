import { exitOn } from './exit.ts';
import { serve, server_roles } from './serve.ts';

await exitOn(() => serve(process.env, server_roles));

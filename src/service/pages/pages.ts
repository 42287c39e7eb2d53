/**
 * The pages of the service, made on the server; everything works without script except that a run moves. Mounted
 * before the API: what does not want HTML goes on to it.
 */
import { Hono } from 'hono';
import { assets } from './assets.ts';
import { liveReport } from './liveReport.ts';
import { pipeline } from './pipeline.ts';
import { pipelines } from './pipelines.ts';
import { run } from './run.ts';
import { runs } from './runs.ts';
import { signIn } from './signIn.ts';
import { trust } from './trust.ts';
import type { PageEnv } from './visitor.ts';

export const pages = new Hono<PageEnv>();

// the report is a file that names no icon
pages.get('/favicon.ico', (c) => c.body(null, 204, { 'cache-control': 'public, max-age=86400' }));
pages.get('/', (c) => c.redirect('/runs', 303));
for (const part of [assets, signIn, runs, run, liveReport, pipelines, pipeline, trust]) pages.route('/', part);

/** Style and script of the pages, each at an address that names its content, so that it can be kept for ever. */
import { Hono } from 'hono';
import script from '../../../dist/service.iife';
import { sha256Hex } from '../../numeric/hash.ts';
import style from './style.css';
import type { PageEnv } from './visitor.ts';

const KEPT = 'public, max-age=31536000, immutable';
/** Digits of the hash in an address. */
const DIGITS = 16;

interface Asset {
  path: string;
  text: string;
  type: string;
}
let known: { script: Asset; style: Asset } | null = null;

/** Addresses of style and script. */
export async function assetPaths(): Promise<{ script: string; style: string }> {
  const assets = await assetsByName();
  return { script: assets.script.path, style: assets.style.path };
}

export const assets = new Hono<PageEnv>();
assets.get('/assets/:file', async (c, next) => {
  const found = Object.values(await assetsByName()).find(({ path }) => path === c.req.path);
  if (!found) return next();
  return c.body(found.text, 200, {
    'content-type': found.type,
    'cache-control': KEPT,
    'x-content-type-options': 'nosniff',
  });
});

async function assetsByName(): Promise<{ script: Asset; style: Asset }> {
  known ??= {
    script: await asset(script, 'js', 'text/javascript; charset=utf-8'),
    style: await asset(style, 'css', 'text/css; charset=utf-8'),
  };
  return known;
}

async function asset(text: string, ending: string, type: string): Promise<Asset> {
  return { path: `/assets/${(await sha256Hex(text)).slice(0, DIGITS)}.${ending}`, text, type };
}

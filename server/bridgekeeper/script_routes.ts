// The browser script of sdk/browser, the same for everybody and so the one answer below this prefix that may be cached.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Context, routes } from '../http/route.ts';

const MAX_AGE_SECONDS = 300;

export function bridgekeeperScriptRoutes() {
  const script = readFileSync(new URL('../../sdk/browser/causeway.js', import.meta.url));
  const etag = `"${createHash('sha256').update(script).digest('base64url').slice(0, 22)}"`;

  function serve(ctx: Context) {
    for (const name of ['Pragma', 'CDN-Cache-Control', 'Surrogate-Control', 'Vary']) ctx.remove(name);
    ctx.set({ 'Cache-Control': `public, max-age=${MAX_AGE_SECONDS}`, ETag: etag });
    if (ctx.get('If-None-Match') === etag) {
      ctx.status = 304;
      return;
    }
    ctx.type = 'text/javascript; charset=utf-8';
    ctx.body = script;
  }

  return routes([
    {
      name: 'bridgekeeper.script',
      method: 'GET',
      path: '/api/auth/v1/sdk.js',
      on: 'any',
      answers: 'script',
      effect: 'reads',
      limit: 'none: a constant',
      csrf: 'none: reads',
      handle: serve,
    },
  ]);
}

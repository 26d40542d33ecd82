// The scripts of the hosted pages, the same for everybody. Their names change with their content, so they are kept for ever.

import { AppError } from '../http/errors.ts';
import type { PageScripts } from '../http/page_scripts.ts';
import { type Context, routes } from '../http/route.ts';

const YEAR_SECONDS = 31_536_000;

export function assetRoutes(options: { pageScripts: PageScripts }) {
  function serve(ctx: Context) {
    const script = options.pageScripts.find(String(ctx['params']?.file ?? ''));
    if (!script) throw new AppError('not_found');
    for (const name of ['Pragma', 'CDN-Cache-Control', 'Surrogate-Control', 'Vary']) ctx.remove(name);
    ctx.set('Cache-Control', `public, max-age=${YEAR_SECONDS}, immutable`);
    ctx.type = 'text/javascript; charset=utf-8';
    ctx.body = script;
  }

  return routes([
    {
      name: 'login.asset',
      method: 'GET',
      path: '/assets/:file',
      on: 'auth',
      answers: 'script',
      effect: 'reads',
      limit: 'none: a constant',
      csrf: 'none: reads',
      handle: serve,
    },
  ]);
}

// A walk over every address of the running server with methods that it serves and does not serve.

import test from 'ava';
import { routesForReading } from '../../docs/tables.ts';
import type { Route } from '../../server/http/route.ts';
import { send } from '../support/browser.ts';
import { originOf, startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
test.before(async () => {
  server = await startTestServer();
});
test.after.always(() => server?.close());

/** Every address with what its host serves there. */
function listAddresses(): { url: string; served: Route[] }[] {
  const routes = routesForReading();
  const paths = [...new Set(routes.map(({ path }) => path))];
  return (['auth', 'client'] as const).flatMap((role) =>
    paths.flatMap((path) => {
      const served = routes.filter((route) => route.path === path && (route.on === 'any' || route.on === role));
      const concrete = path.replace(':id', '018f0000-0000-7000-8000-000000000000');
      return served.length > 0 ? [{ url: `${originOf(role === 'auth' ? 'auth' : 'news')}${concrete}`, served }] : [];
    }),
  );
}

test('RFC 9110 §15.5.6: a method that an address does not serve is answered 405 with those that it does', async (t) => {
  const addresses = listAddresses();
  for (const { url, served } of addresses) {
    const answer = await send(server.port, url, { method: 'PUT' });
    const methods = served.flatMap(({ method, effect }) =>
      method === 'GET' && effect === 'reads' ? ['GET', 'HEAD'] : [method],
    );
    t.is(answer.status, 405, url);
    t.is(answer.headers.allow, methods.join(', '), url);
  }
  t.true(addresses.length > 20);
});

test('RFC 9110 §9.3.2: HEAD is served where GET reads, and refused where GET acts', async (t) => {
  for (const { url, served } of listAddresses()) {
    const get = served.find(({ method }) => method === 'GET');
    const { status, text } = await send(server.port, url, { method: 'HEAD' });
    t.is(text, '', url);
    t.is(status === 405, get?.effect !== 'reads', `${url}: ${status}`);
  }
});

test('RFC 9110 §9.2.1: an address that acts is not fetched ahead', async (t) => {
  for (const { url, served } of listAddresses()) {
    if (served.find(({ method }) => method === 'GET')?.effect !== 'acts') continue;
    for (const header of ['Sec-Purpose', 'Purpose']) {
      t.is((await send(server.port, url, { headers: { [header]: 'prefetch' } })).status, 403, `${url} with ${header}`);
    }
  }
});

// A walk over every route of the server as it runs: each says how it is guarded and limited, and is written in one place.

import test from 'ava';
import { listFiles } from '../../docs/source_text.ts';
import { routesForReading } from '../../docs/tables.ts';
import { listRoutes } from '../../server/app.ts';
import type { Route } from '../../server/http/route.ts';
import { POLICIES } from '../../server/ratelimit/ratelimit.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
let routes: readonly Route[];
test.before(async () => {
  server = await startTestServer();
  routes = listRoutes(server.services);
});
test.after.always(() => server?.close());

const namesOf = (some: readonly Route[]): string[] => some.map(({ name }) => name);
const escapePattern = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
/** A reason is a phrase, not a word to please this test. */
const isReason = (text: string, kind: 'own' | 'none'): boolean => new RegExp(`^${kind}: \\S.{4,}$`).test(text);

test('every route but GET keeps other sites out, or says why it need not', (t) => {
  const open = routes.filter(
    ({ method, csrf }) =>
      method !== 'GET' &&
      !['json', 'form', 'origin'].includes(csrf) &&
      !isReason(csrf, 'own') &&
      !isReason(csrf, 'none'),
  );
  t.deepEqual(namesOf(open), []);
  t.true(routes.length > 20);
});

test('a route that acts is never called harmless', (t) => {
  const bare = routes.filter(({ effect, csrf }) => effect === 'acts' && csrf.startsWith('none:'));
  t.deepEqual(namesOf(bare), []);
});

test('every GET that acts says how it guards itself', (t) => {
  const bare = routes.filter(
    ({ method, effect, csrf }) => method === 'GET' && effect === 'acts' && !isReason(csrf, 'own'),
  );
  t.deepEqual(namesOf(bare), []);
});

test('every route has a limit that exists, or says why it needs none', (t) => {
  const without = routes.filter(({ limit }) => !Object.hasOwn(POLICIES, limit) && !isReason(limit, 'none'));
  t.deepEqual(namesOf(without), []);
});

test('every policy limits some route, is one of several limits of a try, or is taken by a face', (t) => {
  // A try at signing in is counted against all four at once (login/throttle.ts); the route names the first.
  const together = ['sign-in-device', 'sign-in-address', 'sign-in-realm'];
  // Whoever sends a message that a stranger asked for asks the face of messages/ first.
  const faced = ['message-recipient', 'message-address'];
  const named = new Set(routes.map(({ limit }) => limit));
  t.deepEqual(
    Object.keys(POLICIES).filter((policy) => !named.has(policy) && ![...together, ...faced].includes(policy)),
    [],
  );
});

test('names are unique and say feature and verb', (t) => {
  const names = namesOf(routes);
  t.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
  t.deepEqual(
    names.filter((name) => !/^[a-z_]+\.[a-z_]+$/.test(name)),
    [],
  );
});

test('method and path are served by one route on each kind of host', (t) => {
  const hostsOf = ({ on }: Route): string[] => (on === 'any' ? ['auth', 'client'] : [on]);
  const places = routes.flatMap((route) => hostsOf(route).map((host) => `${route.method} ${route.path} on ${host}`));
  t.deepEqual(
    places.filter((place, index) => places.indexOf(place) !== index),
    [],
  );
});

test('every route is written whole in one line or block: method, then path, as literals', (t) => {
  const doors = listFiles(['server'], /(?:^|_)routes\.ts$/);
  for (const { name, method, path } of routes) {
    const written = new RegExp(`method: '${method}',\\s*path: '${escapePattern(path)}'`, 'g');
    const found = doors.flatMap(({ text }) => [...text.matchAll(written)]);
    const sharing = routes.filter((route) => route.method === method && route.path === path);
    t.is(found.length, sharing.length, name);
  }
});

test('the routes of the generated page are those of a running server', (t) => {
  const shown = (list: readonly Route[]) => list.map(({ handle, ...fields }) => fields);
  t.deepEqual(shown(routesForReading()), shown(routes));
});

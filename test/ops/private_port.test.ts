import test from 'ava';
import { send } from '../support/browser.ts';
import { HOSTS, startTestServer } from '../support/server.ts';

const server = await startTestServer({ env: { CAUSEWAY_OPS_PORT: '0' } });
test.after.always(() => server.close());

test('security 196: health, metrics and other private addresses are not on any public host', async (t) => {
  const paths = [
    '/healthz',
    '/readyz',
    '/metrics',
    '/health',
    '/status',
    '/debug',
    '/debug/pprof',
    '/.git/config',
    '/.env',
    '/package.json',
    '/server/main.ts',
    '/openapi.json',
    '/admin',
    '/sdk.js.map',
    '/api/auth/v1/metrics',
    '/api/auth/v1/healthz',
    '/api/auth/v1/sdk.js.map',
    '/api/auth/v1/openapi.json',
    '/api/auth/v1/../../../metrics',
    '/robots.txt.bak',
  ];
  for (const host of Object.values(HOSTS)) {
    for (const path of paths) t.is((await send(server.port, `http://${host}${path}`)).status, 404, `${host}${path}`);
  }
});

test('security 196: the private port answers health, readiness and metrics, uncached', async (t) => {
  const port = server.opsPort as number;
  const ask = (path: string) => send(port, `http://127.0.0.1:${port}${path}`);
  t.is((await ask('/healthz')).text, 'ok\n');
  t.is((await ask('/readyz')).text, 'ready\n');
  const metrics = await ask('/metrics');
  t.is(metrics.status, 200);
  for (const name of [
    'causeway_request_seconds',
    'causeway_database_connections',
    'causeway_password_hashes',
    'causeway_event_streams',
    'causeway_server_errors_total',
  ])
    t.true(metrics.text.includes(name), name);
  for (const path of ['/healthz', '/readyz', '/metrics']) t.is((await ask(path)).headers['cache-control'], 'no-store');
  for (const path of ['/', '/login', '/api/auth/v1/users/me', '/debug']) t.is((await ask(path)).status, 404, path);
});

test('metrics name routes, never what a caller sent', async (t) => {
  await send(server.port, `http://${HOSTS.news}/made-up-path-of-a-caller?secret=1`);
  await send(server.port, `http://${HOSTS.news}/api/auth/v1/users/me`);
  const metrics = (await send(server.opsPort as number, `http://127.0.0.1:${server.opsPort}/metrics`)).text;
  t.false(metrics.includes('made-up-path'));
  t.regex(metrics, /causeway_session_checks_total\{answer="signed-out"\} [1-9]/);
  t.regex(metrics, /causeway_request_seconds_count\{route="none",status="404"\} \d/);
});

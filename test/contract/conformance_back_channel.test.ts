// The certification module of the Back-Channel Logout profile, with a sink as the client.

import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import {
  AFTER_LOGOUT,
  checkRefusal,
  completeFlow,
  fetchJwks,
  fullReader,
  startConformance,
} from '../support/conformance.ts';
import { verifyJws } from '../support/jws_verifier.ts';
import { createRelyingParty, encode, ISSUER, putClients, walk } from '../support/relying_party.ts';

const on = await startConformance();
test.after.always(() => on.server.close());

type Told = { method: string | undefined; headers: IncomingHttpHeaders; body: string };

/** A client's back-channel endpoint; `told` resolves with the first request. */
async function openSink(t: ExecutionContext) {
  let tell: (told: Told) => void = () => undefined;
  const told = new Promise<Told>((resolve) => {
    tell = resolve;
  });
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      response.writeHead(200, { 'Cache-Control': 'no-store' }).end();
      tell({ method: request.method, headers: request.headers, body });
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => void server.close());
  return { uri: `http://localhost:${(server.address() as AddressInfo).port}/back-channel`, told };
}

test('oidcc-backchannel-rp-initiated-logout: after end_session the client gets a right logout token, the browser goes back with its state, and the session is over', async (t) => {
  const sink = await openSink(t);
  await putClients(on.server, [
    {
      id: 'told',
      require_pkce: false,
      consent: 'implied',
      post_logout_redirect_uris: [AFTER_LOGOUT],
      backchannel_logout_uri: sink.uri,
      backchannel_logout_session_required: true,
    },
  ]);
  const rp = createRelyingParty(on.server, 'told');
  const { browser } = await fullReader(on.server);
  const done = await completeFlow(rp, browser);
  const { to } = await walk(
    browser,
    `${ISSUER}/oauth/end_session?${encode({ id_token_hint: done.tokens.id_token, post_logout_redirect_uri: AFTER_LOGOUT, state: 'st' })}`,
  );
  t.is(to, `${AFTER_LOGOUT}?state=st`);

  const told = await sink.told;
  t.is(told.method, 'POST');
  t.regex(String(told.headers['content-type']), /^application\/x-www-form-urlencoded/);
  const form = new URLSearchParams(told.body);
  t.deepEqual([...form.keys()], ['logout_token']);
  const { header, payload } = verifyJws(form.get('logout_token') ?? '', await fetchJwks(rp));
  t.is(header['typ'], 'logout+jwt');
  t.is(header['alg'], 'RS256');
  t.deepEqual(
    [payload['iss'], payload['aud'], payload['sub'], payload['sid']],
    [ISSUER, 'told', done.id.payload['sub'], done.id.payload['sid']],
  );
  t.deepEqual(payload['events'], { 'http://schemas.openid.net/event/backchannel-logout': {} });
  t.false('nonce' in payload);
  t.is(typeof payload['jti'], 'string');
  const [iat, exp] = [Number(payload['iat']), Number(payload['exp'])];
  assert.ok(Math.abs(iat - Date.now() / 1000) < 60 && exp > iat && exp - iat <= 120);
  const sent = rp.request({ prompt: 'none' });
  t.is(checkRefusal(rp, sent, await rp.authorize(browser, sent), ['login_required']), 'login_required');
});

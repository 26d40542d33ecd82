import test, { type ExecutionContext } from 'ava';
import { listRoutes } from '../../server/app.ts';
import { standardHeaderPairs } from '../../server/http/headers.ts';
import type { Route } from '../../server/http/route.ts';
import { send } from '../support/browser.ts';
import { API, bodiesIn, exchange, headOf, postJson, statusesIn, UNLIMITED_YAML } from '../support/raw.ts';
import { HOSTS, originOf, PASSWORD, startTestServer } from '../support/server.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const;
const PATHS = Map.groupBy(listRoutes(server.services), (route) => route.path);

/** What a caller gets who sends neither credential, body nor parameters, by route name. */
const BARE: Record<string, number> = {
  'account_page.change_email': 415,
  'account_page.change_password': 415,
  'account_page.change_two_step': 415,
  'account_page.confirm_email': 415,
  'account_page.connect': 415,
  'account_page.delete': 415,
  'account_page.disconnect': 415,
  'account_page.download_data': 415,
  'account_page.end_other_sessions': 415,
  'account_page.end_session': 415,
  'account_page.save_profile': 415,
  'account_page.verify_email': 415,
  'account_page.withdraw_consent': 415,
  'bridgekeeper.host_token': 415,
  'bridgekeeper.issue_session_token': 415,
  'login.answer_session_limit': 415,
  'account_page.show': 303,
  'account_page.show_activity': 303,
  'account_page.show_connections': 303,
  'account_page.show_consents': 303,
  'account_page.show_data': 303,
  'account_page.show_delete': 303,
  'account_page.show_devices': 303,
  'account_page.show_email': 303,
  'account_page.show_password': 303,
  'account_page.show_profile': 303,
  'account_page.show_two_step': 303,
  'login.show_session_limit': 303,
  'account_page.show_deleted': 200,
  'bridgekeeper.admin_token': 404,
  'bridgekeeper.admin_token_short': 404,
  'login.asset': 404,
  'bridgekeeper.integration_token': 403,
  'bridgekeeper.integration_token_short': 403,
  'bridgekeeper.redeem_session_token': 401,
  'bridgekeeper.me': 401,
  'bridgekeeper.delete_me': 401,
  'bridgekeeper.login': 415,
  'bridgekeeper.signup': 415,
  'bridgekeeper.profile': 415,
  'bridgekeeper.send_otp': 415,
  'bridgekeeper.update_with_otp': 415,
  'bridgekeeper.forgot_password': 415,
  'bridgekeeper.reset_password_with_token': 415,
  'bridgekeeper.reset_password_token': 415,
  'bridgekeeper.reset_password': 415,
  'bridgekeeper.send_verification_link': 415,
  'bridgekeeper.logout': 204,
  'bridgekeeper.confirm_logout': 415,
  'bridgekeeper.validate': 401,
  'bridgekeeper.validate_by_post': 401,
  'bridgekeeper.sessions': 401,
  'bridgekeeper.end_session': 401,
  'bridgekeeper.end_other_sessions': 401,
  'bridgekeeper.events': 401,
  'bridgekeeper.authorize': 400,
  'bridgekeeper.auto_sso': 400,
  'bridgekeeper.token': 400,
  'bridgekeeper.script': 200,
  'bridgekeeper.show_signed_out': 200,
  'bridgekeeper.tfa_qr_code': 401,
  'bridgekeeper.tfa_enable': 415,
  'bridgekeeper.tfa_validate': 415,
  'bridgekeeper.passkey_sign_in_options': 415,
  'bridgekeeper.passkey_sign_in': 415,
  'bridgekeeper.passkey_second_factor_options': 415,
  'bridgekeeper.passkey_second_factor': 415,
  'bridgekeeper.passkey_confirm_options': 415,
  'bridgekeeper.passkey_confirm': 415,
  'bridgekeeper.passkeys': 401,
  'bridgekeeper.passkey_add_options': 415,
  'bridgekeeper.passkey_add': 415,
  'bridgekeeper.passkey_rename': 415,
  'bridgekeeper.passkey_remove': 401,
  'bridgekeeper.upstream_start': 400,
  'bridgekeeper.google_one_tap': 415,
  'bridgekeeper.upstream_token': 415,
  'bridgekeeper.upstream_script_token': 415,
  'login.home': 200,
  'login.show_sign_in': 200,
  'login.sign_in': 415,
  'login.show_sign_up': 200,
  'login.sign_up': 415,
  'login.show_sign_in_code': 303,
  'login.sign_in_code': 415,
  'login.show_reset_code': 303,
  'login.reset_code': 415,
  'login.show_verification_code': 303,
  'login.verification_code': 415,
  'login.show_verification_link': 404,
  'login.verify_email': 415,
  'login.show_sign_in_link': 404,
  'login.sign_in_link': 415,
  'login.show_email_change': 404,
  'login.change_email': 415,
  'login.show_undo_email_change': 404,
  'login.undo_email_change': 415,
  'login.show_forgot_password': 404,
  'login.forgot_password': 415,
  'login.show_new_password': 410,
  'login.set_new_password': 415,
  'login.ask_sign_out': 303,
  'login.sign_out': 415,
  'login.show_signed_out': 200,
  'login.show_second_factor': 303,
  'login.second_factor': 415,
  'account_page.change_passkeys': 415,
  'account_page.show_passkeys': 303,
  'login.related_origins': 200,
  'upstream.start': 404,
  'upstream.finish_google': 404,
  'upstream.finish_facebook': 404,
  'upstream.finish_apple': 404,
  'upstream.finish_linkedin': 404,
  'upstream.finish_github': 404,
  'upstream.finish_microsoft': 404,
  'upstream.finish_oidc': 404,
  'upstream.finish_oauth': 404,
  'upstream.finish_posted': 404,
  'upstream.show_failure': 400,
  'oauth.authorize': 400,
  'oauth.authorize_by_post': 415,
  'oauth.show_consent': 400,
  'oauth.answer_consent': 415,
  'oauth.token': 415,
  'oauth.push': 415,
  'oauth.introspect': 415,
  'oauth.revoke': 415,
  'oauth.register': 404,
  'oidc.discovery': 200,
  'oidc.oauth_discovery': 200,
  'oidc.jwks': 200,
  'oidc.userinfo': 401,
  'oidc.userinfo_by_post': 401,
  'oidc.end_session': 303,
  'oidc.end_session_by_post': 415,
  'oidc.confirm_end_session': 415,
  'products.verify': 404,
  'products.verify_by_post': 404,
  'products.take_profile': 401,
};

/** Whether a literal path has the form of one with a variable part. */
function isAlike(pattern: string, path: string): boolean {
  const form = new RegExp(`^${pattern.replace(/:\w+/g, '[^/]+')}$`);
  return pattern.includes(':') && pattern !== path && form.test(path);
}

function allowedOf(served: readonly Route[]): string[] {
  return served
    .flatMap(({ method, effect }) => (method === 'GET' && effect === 'reads' ? ['GET', 'HEAD'] : [method]))
    .sort();
}

for (const [role, host] of [
  ['auth', HOSTS.auth],
  ['client', HOSTS.news],
] as const) {
  test(`security 186: on the ${role} domain every route answers its documented status, and any other method 405 with Allow`, async (t) => {
    const undocumented: Record<string, number> = {};
    for (const [path, routes] of PATHS) {
      // A literal that is not served on this host falls to a path of the same form with a variable part.
      const alike = [...PATHS].flatMap(([pattern, more]) => (isAlike(pattern, path) ? more : []));
      const hereOf = (list: readonly Route[]) => list.filter(({ on }) => on === 'any' || on === role);
      const served = hereOf(routes).length > 0 ? hereOf(routes) : hereOf(alike);
      const allowed = allowedOf(served);
      for (const method of METHODS) {
        const answer = await send(
          server.port,
          `http://${host}${path.replace(':id', '0190b6b2-0000-7000-8000-000000000000')}`,
          { method },
        );
        const route = served.find((one) => one.method === (method === 'HEAD' ? 'GET' : method));
        const what = `${method} ${path} on ${role}: ${answer.status}`;
        if (served.length === 0) t.is(answer.status, 404, what);
        else if (route && allowed.includes(method)) {
          if (answer.status !== BARE[route.name]) undocumented[route.name] = answer.status;
        } else {
          t.is(answer.status, 405, what);
          t.deepEqual(answer.headers.allow?.split(', ').sort(), allowed, what);
        }
        if (answer.status !== 200) t.is(answer.headers['cache-control'], 'no-store', what);
      }
    }
    t.deepEqual(undocumented, {});
  });
}

test('security 186, RFC 9110 §9.3.6: TRACE reflects nothing and CONNECT opens nothing', async (t) => {
  const trace = await send(server.port, `${API}/users/me`, {
    method: 'TRACE',
    headers: { 'X-Reflected': 'echo-this' },
  });
  t.is(trace.status, 405);
  t.false(JSON.stringify(trace).includes('echo-this'));
  const behind = `${headOf('GET', '/api/auth/v1/sdk.js')}\r\n`;
  for (const target of [`${HOSTS.news}:443`, '/api/auth/v1/users/me']) {
    for (const more of ['', behind]) {
      const bytes = `CONNECT ${target} HTTP/1.1\r\nHost: ${HOSTS.news}\r\n\r\n${more}`;
      const received = await exchange(server.port, bytes);
      t.deepEqual(statusesIn(received), [405], bytes);
      t.regex(received, /^Allow: ?\r$/m);
      checkBare(t, received);
    }
  }
  t.deepEqual(statusesIn(await exchange(server.port, `${headOf('OPTIONS', '*')}\r\n`)), [400]);
  t.deepEqual(
    statusesIn(await exchange(server.port, `${headOf('GET', `http://${HOSTS.news}/api/auth/v1/users/me`)}\r\n`)),
    [400],
  );
});

/** An answer that is given before any middleware is JSON all the same, has the headers of every other, and ends its connection. */
function checkBare(t: ExecutionContext, received: string) {
  for (const [name, value] of standardHeaderPairs())
    t.true(received.includes(`${name}: ${value}\r\n`), `${name} ${received}`);
  t.regex(received, /^Connection: close\r$/im);
  const { message, error } = JSON.parse(bodiesIn(received)[0] ?? '');
  t.is(typeof message, 'string');
  t.deepEqual(error, { message });
}

test('RFC 9110 §10.1.1: what else may be expected than 100-continue is refused with 417, as JSON', async (t) => {
  for (const expected of ['200-ok', 'x', '100-continued']) {
    for (const path of ['/api/auth/v1/users/me', '/nothing']) {
      const received = await exchange(server.port, `${headOf('GET', path, [`Expect: ${expected}`])}\r\n`);
      t.deepEqual(statusesIn(received), [417], expected);
      checkBare(t, received);
    }
  }
});

test('security 186: X-HTTP-Method-Override and its relatives are ignored', async (t) => {
  const account = await server.makeAccount();
  const browser = server.browser();
  await browser.post(`${API}/login`, { email: account.email, password: PASSWORD });
  for (const name of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', '_method']) {
    const headers = { [name]: 'DELETE' };
    t.is((await browser.fetch(`${API}/users/me`, { method: 'POST', headers })).status, 405);
    t.is((await browser.fetch(`${API}/users/me?_method=DELETE`, { headers })).status, 200);
    t.is(
      (await browser.post(`${API}/users/profile`, { 'first-name': name, _method: 'DELETE' }, { headers })).status,
      200,
    );
  }
  t.is((await browser.me(originOf('news'))).status, 200);
  t.is(
    (
      await postJson(
        server.port,
        `${API}/login`,
        { email: 'nobody@example.com', password: 'x' },
        { headers: { 'X-HTTP-Method-Override': 'GET' } },
      )
    ).status,
    401,
  );
});

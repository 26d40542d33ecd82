import test from 'ava';
import { send } from '../support/browser.ts';
import { originOf, startTestServer } from '../support/server.ts';
import { run } from './support.ts';

const AUTH = originOf('auth');
const server = await startTestServer();
test.after.always(() => server.close());
const clients = (...args: string[]) => run(server, ['clients', ...args, '--realm', 'test']);
const keys = (...args: string[]) => run(server, ['keys', ...args, '--realm', 'test']);
const secretIn = (stdout: string) => /^secret (cws_\S+)$/m.exec(stdout)?.[1] ?? '';
/** Whether a client authenticates with a secret; its grant is wrong on purpose. */
const isAccepted = async (id: string, secret: string) => {
  const headers = {
    'Content-Type': 'application/x-www-form-urlencoded',
    Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
  };
  const answer = await send(server.port, `${AUTH}/oauth/token`, {
    method: 'POST',
    headers,
    body: 'grant_type=authorization_code&code=x&redirect_uri=x',
  });
  return answer.json().error !== 'invalid_client';
};

/** A change travels to the running server by a notification: asked again until it has come, and not longer than a moment. */
async function becomes(isWanted: boolean, id: string, secret: string): Promise<boolean> {
  for (let tries = 0; tries < 200; tries++) if ((await isAccepted(id, secret)) === isWanted) return true;
  return false;
}

test('clients add makes a client through the checks of the realm file; list and show never show a secret', async (t) => {
  const made = await clients(
    'add',
    '--id',
    'plain',
    '--name',
    'Plain Product',
    '--redirect-uri',
    'https://plain.example/cb',
    '--redirect-uri',
    'https://plain.example/cb2',
    '--scope',
    'openid',
    '--no-pkce',
  );
  t.is(made.code, 0, made.stderr);
  const secret = secretIn(made.stdout);
  t.true(await becomes(true, 'plain', secret));
  const list = await clients('list');
  t.regex(list.stdout, /^plain +third-party +Plain Product +plain\.example$/m);
  t.regex(list.stdout, /^news +first-party +The News +news\.test\.localhost$/m);
  const shown = await clients('show', 'plain');
  t.regex(shown.stdout, /require_pkce: false[\s\S]*secrets: 1/);
  t.false(`${list.stdout}${shown.stdout}`.includes(secret));
  const again = await clients('add', '--id', 'plain', '--redirect-uri', 'https://plain.example/cb');
  t.is(again.code, 1);
  t.regex(again.stderr, /has a client plain already/);
  const site = await clients('add', '--id', 'culture', '--domain', 'http://culture.test.localhost');
  t.regex(site.stdout, /client culture made in realm test \(first-party\)/);
});

test('clients add tells every fault and makes nothing', async (t) => {
  const wrong = await clients(
    'add',
    '--id',
    'wrong',
    '--redirect-uri',
    'http://plain.example/cb#x',
    '--userinfo-mapping',
    '{a: user.name, a b}',
    '--auth-method',
    'secret',
  );
  t.is(wrong.code, 1);
  t.regex(
    wrong.stderr,
    /^No client was made:\n {2}redirect_uris\[0\]: .*\n {2}token_endpoint_auth_method: .*\n {2}userinfo_mapping: not JMESPath at character 18: expected Colon/,
  );
  t.regex((await clients('show', 'wrong')).stderr, /no client wrong/);
});

const usage: [title: string, args: string[], expected: RegExp][] = [
  ['Quiq needs its tenant', ['--template', 'quiq'], /needs --tenant/],
  ['a tenant is one name', ['--template', 'quiq', '--tenant', 'a.b/c'], /needs --tenant/],
  ['QuickBlox needs names', ['--template', 'quickblox'], /needs --header-user and --header-token/],
  [
    'QuickBlox takes headers or parameters',
    ['--template', 'quickblox', '--header-user', 'a', '--param-token', 'b'],
    /not both/,
  ],
  ['an option of a template needs one', ['--header-user', 'a'], /--header-user belongs to a template/],
  ['an unknown template is told the known', ['--template', 'quik'], /Allowed choices are quiq, qualifio, quickblox/],
];
for (const [title, args, expected] of usage) {
  test(`clients add: ${title}, with exit code 2`, async (t) => {
    const { code, stderr } = await clients('add', '--id', 'x', ...args);
    t.is(code, 2);
    t.regex(stderr, expected);
  });
}

test('rotate-secret: two secrets are valid until --finish, on a running server at once; never three', async (t) => {
  const old = secretIn((await clients('add', '--id', 'turns', '--redirect-uri', 'https://turns.example/cb')).stdout);
  t.true(await becomes(true, 'turns', old));
  const rotated = secretIn((await clients('rotate-secret', 'turns')).stdout);
  t.true(await becomes(true, 'turns', rotated));
  t.deepEqual([await isAccepted('turns', old), await isAccepted('turns', 'other')], [true, false]);
  const third = await clients('rotate-secret', 'turns');
  t.is(third.code, 1);
  t.regex(third.stderr, /two valid secrets already/);
  t.is((await clients('rotate-secret', 'turns', '--finish')).stdout, '1 secret ended\n');
  t.true(await becomes(false, 'turns', old));
  t.true(await isAccepted('turns', rotated));
  t.regex((await clients('rotate-secret', 'turns', '--finish')).stderr, /no older secret/);
  t.regex((await clients('rotate-secret', 'news')).stderr, /has no secret to replace/);
});

test('disable refuses a client at once and enable lets it work again', async (t) => {
  const secret = secretIn(
    (await clients('add', '--id', 'switch', '--redirect-uri', 'https://switch.example/cb')).stdout,
  );
  t.true(await becomes(true, 'switch', secret));
  t.is((await clients('disable', 'switch')).stdout, 'client switch is disabled\n');
  t.true(await becomes(false, 'switch', secret));
  t.is((await clients('disable', 'switch')).stdout, 'client switch was disabled already\n');
  t.regex((await clients('list')).stdout, /^switch .* disabled$/m);
  await clients('enable', 'switch');
  t.true(await becomes(true, 'switch', secret));
});

test('keys: list, rotate and revoke work on the published set of a running server', async (t) => {
  const kids = async (): Promise<string[]> =>
    (await send(server.port, `${AUTH}/oauth/jwks`)).json().keys.map(({ kid }: { kid: string }) => kid);
  const shows = async (isWanted: (kids: string[]) => boolean) => {
    for (let tries = 0; tries < 200; tries++) if (isWanted(await kids())) return true;
    return false;
  };
  const before = await kids();
  const list = await keys('list');
  t.is(list.code, 0, list.stderr);
  for (const kid of before)
    t.regex(list.stdout, new RegExp(`^${kid} +(RS256|ES256|EdDSA) +active +signed from 20`, 'm'));
  const rotated = await keys('rotate');
  t.regex(rotated.stdout, /3 keys published/, rotated.stderr);
  t.true(await shows((kids) => kids.length === before.length + 3));
  t.regex((await keys('list')).stdout, / upcoming +signs from 20/);
  t.regex((await keys('rotate')).stdout, /under way already/);
  t.is((await keys('revoke', before[0]!)).code, 0);
  t.true(await shows((kids) => !kids.includes(before[0]!)));
  const unknown = await keys('revoke', before[0]!);
  t.is(unknown.code, 1);
  t.regex(unknown.stderr, /has no key/);
});

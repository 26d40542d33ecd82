import test from 'ava';
import { send } from '../support/browser.ts';
import { originOf, startTestServer } from '../support/server.ts';
import { countRows } from '../support/signed_in.ts';
import { addByTemplate, createQualifio } from './support.ts';

const AUTH = originOf('auth');
const HOOK_SECRET = 'a hook secret with more than 32 signs in it'.replaceAll(' ', '-');
const server = await startTestServer();
const post = await addByTemplate(server, ['--id', 'campaign', '--template', 'qualifio']);
const jwt = await addByTemplate(server, [
  '--id',
  'jwt',
  '--template',
  'qualifio',
  '--profile',
  'jwt',
  '--pkce',
  '--basic',
]);
const hook = (id: string, more: string) => `
      - id: ${id}
        kind: third-party
        secret: ${'s'.repeat(40)}
        redirect_uris: [https://player.qualifio.com/oauth/callback]
        pushback:
          secret: ${HOOK_SECRET}
          ${more}`;
const HOOKS = `
realms:
  - slug: test
    auth_domain: ${AUTH}
    clients:${hook('hook', '{}').replace('{}', "match: participant.sub\n          event_id: participation.id\n          mapping: '{first_name: form.firstname, last_name: form.lastname, phone_number: form.phone, address: form.address, email: form.email, name: form.name}'\n          fields: [first_name, last_name, phone_number, address]")}${hook('by-mail', '{}').replace('{}', "match_by: verified_email\n          match: form.email\n          mapping: '{first_name: form.firstname}'\n          fields: [first_name]")}
`;
await server.apply(HOOKS);
test.after.always(() => server.close());

type Pushed = { participation?: { id: string }; participant?: { sub: string }; form: Record<string, unknown> };
const push = (body: Pushed | string, more: { id?: string; headers?: Record<string, string> } = {}) =>
  send(server.port, `${AUTH}/hooks/profile/${more.id ?? 'hook'}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${HOOK_SECRET}`, ...more.headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const rowOf = async (id: string) => server.services.db.builder('accounts').where({ id }).first();

test("contract §4 Qualifio: the template prints the seven fields of Qualifio's form", (t) => {
  t.deepEqual(
    { ...post.form, 'Client secret': '' },
    {
      'Client Id': 'campaign',
      'Client secret': '',
      'Authorisation endpoint': `${AUTH}/oauth/authorize`,
      'Token endpoint': `${AUTH}/oauth/token`,
      'Token scope': 'openid email profile',
      'Use PKCE': 'No',
      'Client authentication method': 'Client secret sent as post',
    },
  );
  t.is(jwt.form['Use PKCE'], 'Yes');
  t.is(jwt.form['Client authentication method'], 'Client secret sent as basic auth');
});

test('contract §4 Qualifio: secret by post and no PKCE by default; the state comes back untouched; userinfo prefills the form', async (t) => {
  const account = await server.makeAccount({ name: 'Allan Participant' });
  const { profile } = await createQualifio(server, post.form).participate(server.browser(), account, {
    userinfo: `${AUTH}/oauth/userinfo`,
  });
  t.like(profile, { sub: account.sub, email: account.email, name: 'Allan Participant' });
});

test('contract §4 Qualifio: PKCE on, secret by basic auth, and the profile inside the JWT access token', async (t) => {
  const account = await server.makeAccount({ name: 'Allan Participant' });
  await server.services.db
    .builder('accounts')
    .where({ id: account.id })
    .update({ first_name: 'Allan', last_name: 'Participant' });
  const { profile, token } = await createQualifio(server, jwt.form).participate(server.browser(), account);
  t.like(profile, {
    iss: AUTH,
    sub: account.sub,
    email: account.email,
    given_name: 'Allan',
    family_name: 'Participant',
    client_id: 'jwt',
  });
  const verified = await server.services.keys.verify((await server.realm()).id, token['access_token'], {
    issuer: AUTH,
    typ: 'at+jwt',
  });
  t.is(verified?.sub, account.sub);
});

test('contract §4 Qualifio: address and phone arrive when their scopes are asked for', async (t) => {
  const account = await server.makeAccount();
  await server.services.db
    .builder('accounts')
    .where({ id: account.id })
    .update({ phone_number: '+49123', metadata: JSON.stringify({ address: 'Harbour 1' }) });
  const { profile } = await createQualifio(server, post.form).participate(server.browser(), account, {
    scope: 'openid email profile address phone',
    userinfo: `${AUTH}/oauth/userinfo`,
  });
  t.like(profile, { phone_number: '+49123', address: { formatted: 'Harbour 1' } });
});

test('pushback writes the fields that the operator allowed, never e-mail, name or password', async (t) => {
  const account = await server.makeAccount({ name: 'Before' });
  const before = await rowOf(account.id);
  const answer = await push({
    participation: { id: `p-${account.id}` },
    participant: { sub: account.sub },
    form: {
      firstname: 'New',
      lastname: 'Name',
      phone: 49123,
      address: { locality: 'Town' },
      email: 'thief@example.com',
      name: 'Thief',
    },
  });
  t.is(answer.status, 200, answer.text);
  t.deepEqual(answer.json(), { status: 'done', fields: ['first_name', 'last_name', 'phone_number', 'address'] });
  const after = await rowOf(account.id);
  t.like(after, {
    first_name: 'New',
    last_name: 'Name',
    phone_number: '49123',
    name: 'Before',
    email: account.email,
    metadata: { address: { locality: 'Town' } },
  });
  t.is(after.password_hash, before.password_hash);
  t.is(
    await countRows(server, 'audit_events', { type: 'account.updated', account_id: account.id, client_id: 'hook' }),
    1,
  );
});

test('contract §4 Qualifio: an event that is delivered again, also at the same time, is done once', async (t) => {
  const account = await server.makeAccount();
  const event = (firstname: string) => ({
    participation: { id: `once-${account.id}` },
    participant: { sub: account.sub },
    form: { firstname },
  });
  const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => push(event(`Name ${index}`))));
  t.deepEqual(
    answers.map(({ status }) => status),
    Array(8).fill(200),
  );
  t.is(answers.filter((answer) => answer.json().status === 'done').length, 1);
  const done = (await rowOf(account.id)).first_name;
  t.is((await push(event('Later'))).json().status, 'repeated');
  t.is((await rowOf(account.id)).first_name, done);
});

test('pushback for an unknown account is 404 and not used up: it is done once the account is there', async (t) => {
  const event = {
    participation: { id: 'early' },
    participant: { sub: 'nobody-has-this-sub' },
    form: { firstname: 'Early' },
  };
  t.is((await push(event)).status, 404);
  const account = await server.makeAccount();
  t.is((await push({ ...event, participant: { sub: account.sub } })).json().status, 'done');
});

test('pushback finds an account by e-mail only when that was verified; the event is named by a header', async (t) => {
  const account = await server.makeAccount();
  const send = (key: string | null) =>
    push(
      { form: { email: account.email.toUpperCase(), firstname: 'Mail' } },
      { id: 'by-mail', headers: key === null ? {} : { 'Idempotency-Key': key } },
    );
  t.is((await send('e-1')).status, 404);
  await server.services.db.builder('accounts').where({ id: account.id }).update({ verification_status: 'email' });
  t.is((await send(null)).status, 400);
  t.is((await send('e-1')).json().status, 'done');
  t.is((await rowOf(account.id)).first_name, 'Mail');
});

test('contract §4 Qualifio: pushback without the secret of this hook is 401, whatever is wrong', async (t) => {
  const account = await server.makeAccount();
  const body = { participation: { id: 'x' }, participant: { sub: account.sub }, form: { firstname: 'Thief' } };
  const tries = [
    { headers: { Authorization: '' } },
    { headers: { Authorization: `Bearer ${'s'.repeat(40)}` } },
    { headers: { Authorization: `Basic ${Buffer.from(`hook:${HOOK_SECRET}`).toString('base64')}` } },
    { id: 'campaign' },
    { id: 'nobody' },
  ];
  for (const one of tries) {
    const answer = await push(body, one);
    t.is(answer.status, 401);
    t.is(answer.json().error, 'invalid_client');
    t.is(answer.headers['www-authenticate'], 'Bearer');
  }
  t.is((await rowOf(account.id)).first_name, null);
});

test('security 152, 185: pushback refuses bodies that are not a JSON object and values that are no text', async (t) => {
  const account = await server.makeAccount();
  const about = { participation: { id: `bad-${account.id}` }, participant: { sub: account.sub } };
  for (const body of ['[]', 'null', '"x"', '{', '', '{"form":{}}']) t.is((await push(body)).status, 400, body);
  for (const firstname of [{ $gt: '' }, ['x'], true, 'x'.repeat(201), '\u0007'])
    t.is((await push({ ...about, form: { firstname } })).status, 400, String(firstname));
  t.is((await push({ ...about, form: { firstname: 'Good' } })).json().status, 'done');
});

test('the secret of a hook is stored and exported as its hash, and applying the file again changes nothing', async (t) => {
  t.deepEqual(await server.apply(HOOKS), []);
  const { protocol } = await server.services.db.builder('clients').where({ client_id: 'hook' }).first('protocol');
  t.notRegex(JSON.stringify(protocol), new RegExp(HOOK_SECRET));
  t.regex(protocol.pushback.secret_sha256, /^[0-9a-f]{64}$/);
});

import test from 'ava';
import { UNLIMITED_YAML } from '../support/raw.ts';
import { startTestServer } from '../support/server.ts';
import { signedInBrowser } from '../support/signed_in.ts';
import { API, isFailure, isSuccess, NEWS, plainUser } from './wire.ts';

const server = await startTestServer({ yaml: UNLIMITED_YAML });
test.after.always(() => server.close());
const PROFILE = `${NEWS}${API}/users/profile`;

test('contract §2: users/profile changes the fields that are sent, answers exactly user, and leaves the rest', async (t) => {
  const { account, browser } = await signedInBrowser(server);
  const body = isSuccess(
    t,
    await browser.post(PROFILE, { 'first-name': 'Ada', 'last-name': 'Reader', metadata: { 'phone-number': '1' } }),
  );
  t.deepEqual(Object.keys(body), ['user']);
  const user = body['user'] as Record<string, unknown>;
  const { 'updated-at': updatedAt, ...rest } = {
    ...plainUser(account),
    'first-name': 'Ada',
    'last-name': 'Reader',
    metadata: { 'phone-number': '1' },
  };
  t.like(user, rest);
  t.true(Number(user['updated-at']) >= updatedAt);
  t.deepEqual((await browser.me(NEWS)).json().user, user);
});

test('contract §2, K6: phone-number may be a JSON number, and comes back as the string of its digits', async (t) => {
  const { browser } = await signedInBrowser(server);
  for (const [sent, kept] of [
    [919876543210, '919876543210'],
    ['+91 98765 43210', '+91 98765 43210'],
    [null, null],
  ] as const) {
    const { user } = isSuccess(t, await browser.post(PROFILE, { 'phone-number': sent })) as {
      user: Record<string, unknown>;
    };
    t.is(user['phone-number'], kept);
  }
});

test('contract §2: null empties a field of the profile; an empty object changes nothing', async (t) => {
  const { account, browser } = await signedInBrowser(server);
  await browser.post(PROFILE, { 'avatar-url': 'https://images.example/a.png', name: 'Ada' });
  const emptied = isSuccess(t, await browser.post(PROFILE, { 'avatar-url': null })) as {
    user: Record<string, unknown>;
  };
  t.is(emptied.user['avatar-url'], null);
  t.is(emptied.user['name'], 'Ada');
  const same = isSuccess(t, await browser.post(PROFILE, {})) as { user: Record<string, unknown> };
  t.like(same.user, { ...plainUser(account), name: 'Ada', 'updated-at': same.user['updated-at'] });
});

test('contract §2: fields that are not the reader’s to change are ignored', async (t) => {
  const { account, browser } = await signedInBrowser(server);
  const body = {
    id: 1,
    sub: 'x',
    'verification-status': 'email',
    'is-tfa-enabled': true,
    'created-at': 0,
    'temp-s3-key': 'a/b',
    name: 'Ada',
  };
  const { user } = isSuccess(t, await browser.post(PROFILE, body)) as { user: Record<string, unknown> };
  t.like(user, { ...plainUser(account), name: 'Ada', 'updated-at': user['updated-at'] });
});

test('contract §2: faults of a profile are 400 and named', async (t) => {
  const { browser } = await signedInBrowser(server);
  for (const [body, wanted] of [
    [{ email: 'no address' }, /email/],
    [{ 'avatar-url': 'javascript:alert(1)' }, /avatar-url: must be an http or https URL/],
    [{ metadata: 'text' }, /metadata: must be an object/],
    [{ name: 1 }, /name: must be a string/],
  ] as const) {
    isFailure(t, await browser.post(PROFILE, body), 400, wanted);
  }
});

// What a new password must be, at every place where one is chosen.

import { createHash } from 'node:crypto';
import test from 'ava';
import { createCommonPasswords } from '../../server/passwords/common.ts';
import { API, postJson, UNLIMITED_YAML } from '../support/raw.ts';
import { originOf, startTestServer } from '../support/server.ts';
import { startRangeService } from './range_service.ts';

const LEAKED = 'a password that has leaked';
const service = await startRangeService([LEAKED]);
const server = await startTestServer({
  yaml: UNLIMITED_YAML,
  env: { CAUSEWAY_BREACHED_PASSWORDS_URL: `${service.origin}/range` },
});
test.after.always(() => server.close());
test.after.always(() => service.close());

let made = 0;
const signup = (password: string, more: Record<string, string> = {}) =>
  postJson(server.port, `${API}/signup`, { email: `p${process.pid}-${made++}@example.com`, password, ...more });

const WEAK: [string, string, Record<string, string>?][] = [
  ['one of the most used ones', 'password123'],
  ['the same with capitals', 'PassWord123'],
  ['a most used one with a decoration', 'sunshine!99'],
  ['a row of keys', 'qwertyuiop'],
  ['the e-mail address', 'rosalind.franklin@kings.example', { email: 'rosalind.franklin@kings.example' }],
  ['its local part and a year', 'Rosalind.Franklin1920', { email: 'rosalind.franklin@kings.example' }],
  ['the name, turned round', 'Quimby Zelda!', { name: 'Zelda Quimby' }],
  ['the user name twice', 'zq-reads zq-reads', { username: 'zq-reads' }],
  ['the name of the group of sites', 'TestGroup2026'],
  ['the host of a site', 'news.test.localhost'],
];
for (const [what, password, more] of WEAK) {
  test(`security 137: ${what} is refused at sign-up with a sentence that says why`, async (t) => {
    const answer = await signup(password, more);
    t.is(answer.status, 400);
    t.regex(answer.json().message, /^password is too easy to guess: .* choose another one$/);
  });
}

test('security 137: passwords that only contain such words are taken', async (t) => {
  for (const password of [
    'sunshine over the harbour',
    'zelda likes seven owls',
    'test group of nine geese',
    '70413886215',
  ])
    t.is((await signup(password, { name: 'Zelda Quimby' })).status, 200, password);
});

test('security 137: the hosted page refuses them too, keeps what was typed, and says what to do', async (t) => {
  const browser = server.browser();
  const page = await browser.navigate(`${originOf('auth')}/signup`);
  const email = `p${process.pid}-${made++}@example.com`;
  const answer = await browser.submit(page, { name: 'Zelda', email, password: 'password123' });
  t.is(answer.status, 400);
  t.true(answer.text.includes('This password is easy to guess'));
  t.true(answer.text.includes(`value="${email}"`));
  t.false(answer.text.includes('password123'));
});

test('security 137: a password of a known leak is refused, and the service learns five digits of its hash', async (t) => {
  const answer = await signup(LEAKED);
  t.is(answer.status, 400);
  t.regex(answer.json().message, /^password is in a known leak of passwords; choose another one$/);
  const digest = createHash('sha1').update(LEAKED).digest('hex').toUpperCase();
  const asked = service.asked.find(({ path }) => path === `/range/${digest.slice(0, 5)}`);
  t.is(asked?.padding, 'true');
  t.true(service.asked.every(({ path }) => /^\/range\/[0-9A-F]{5}$/.test(path)));
});

test('security 137: a line of padding, count 0, is no leak', async (t) => {
  service.padWith('a password that pads');
  t.is((await signup('a password that pads')).status, 200);
});

test('a service of leaked passwords that is slow, broken or gone keeps nobody out, is logged, and is left alone for a while', async (t) => {
  const down = await startRangeService([LEAKED]);
  const other = await startTestServer({
    yaml: UNLIMITED_YAML,
    env: { CAUSEWAY_BREACHED_PASSWORDS_URL: `${down.origin}/range` },
  });
  const ask = (name: string) =>
    postJson(other.port, `${API}/signup`, { email: `${name}@example.com`, password: LEAKED });
  down.answerWith('never');
  const before = performance.now();
  t.is((await ask('slow')).status, 200);
  t.true(performance.now() - before < 5000, 'it is given one second');
  t.true(other.lines.some((line) => line.includes('leaked passwords could not be asked about')));
  t.false(other.lines.some((line) => line.includes(LEAKED)));
  down.answerWith(500);
  for (const name of ['one', 'two', 'three', 'four', 'five', 'six']) t.is((await ask(name)).status, 200);
  t.is(down.asked.length, 5, 'after five failures in a row it is not asked');
  await down.close();
  t.is((await ask('gone')).status, 200);
  await other.close();
});

test('security 136: of 64 characters every one counts, and more than 1024 are refused before any hash is made', async (t) => {
  const { passwords } = server.services;
  t.is(await passwords.checkNew('ab '.repeat(22), { minimum: 8, context: [] }), null);
  t.is(await passwords.checkNew('ab '.repeat(342), { minimum: 8, context: [] }), 'too-long');
  const answer = await signup('ab '.repeat(342));
  t.is(answer.status, 400);
  t.regex(answer.json().message, /at most 1024 characters/);
});

test('the least length is that of the realm, in characters and not in bytes', async (t) => {
  const { passwords } = server.services;
  const check = (password: string) => passwords.checkNew(password, { minimum: 15, context: [] });
  t.is(await check('öüäöüäöüäöüäöü'), 'too-short');
  t.is(await check('öüäöüäöüäöüäöüä'), null);
  t.is(await check('ö'.normalize('NFD').repeat(14)), 'too-short');
});

test('context words are looked for whole: short ones and single letters are in everything', (t) => {
  const { isMadeOf } = createCommonPasswords();
  t.false(isMadeOf('abababab', ['a b', 'ab']));
  t.true(isMadeOf('abcabcabc', ['abc']));
  t.false(isMadeOf('12345678', ['99', '2026']));
  t.false(isMadeOf('', ['abc']));
});

import test from 'ava';
import { AUTH, loginUrl, NEWS, signIn, startWithProvider, whoIs } from './setup.ts';

const { idp, browser, close } = await startWithProvider();
test.after.always(close);

test.serial('a reader whom nobody knows signs in by the button of the sign-in page, and has an account', async (t) => {
  const person = idp.reset({ given_name: 'Grace', family_name: 'Example', picture: 'https://images.example/g.png' });
  const reader = browser();
  const page = await reader.navigate(`${AUTH}/login`);
  t.regex(page.text, /href="\/login\/with\/corp"[^>]*>Continue with Corp corp</);
  const end = await signIn(reader);
  t.is(end.status, 200);
  t.like(await whoIs(reader), {
    email: person.email,
    name: 'Grace Example',
    'first-name': 'Grace',
    'last-name': 'Example',
    'avatar-url': 'https://images.example/g.png',
    'verification-status': 'email',
  });
  const again = browser();
  await signIn(again);
  t.is((await whoIs(again))?.['id'], (await whoIs(reader))?.['id'], 'and is the same one next time');
});

test.serial('a sign-in that is begun on a site ends there, with a session of the site', async (t) => {
  const person = idp.reset();
  const reader = browser();
  const end = await reader.follow(loginUrl(NEWS, 'corp', `${NEWS}/story?a=1`), { from: NEWS });
  t.is(end.hops.at(-1), `${NEWS}/story?a=1`);
  t.is((await whoIs(reader, NEWS))?.['email'], person.email);
  t.is((await whoIs(reader, AUTH))?.['email'], person.email);
});

// A message from `send` to the mail server: what arrives, how often, and what becomes of it when that server fails.

import test from 'ava';
import type { RealmId } from '../../server/lib/ids.ts';
import { type Mailbox, startMailbox } from '../support/mailbox.ts';
import { originOf, startTestServer, type TestServer } from '../support/server.ts';

let mailbox: Mailbox;
let server: TestServer;
let realmId: RealmId;
test.before(async () => {
  mailbox = await startMailbox();
  server = await startTestServer({ mailbox });
  realmId = (await server.realm()).id;
});
test.after.always(async () => {
  await server?.close();
  await mailbox?.close();
});

const LINK = `${originOf('auth')}/verify?token=abcdefghijklmnopqrstuvwxyz0123456789&x=1`;

test('a message that is queued with what it follows from arrives as text and HTML, with its link and code', async (t) => {
  const { messages, db } = server.services;
  const address = 'first@example.com';
  await db.transaction((q) =>
    messages.send(q, {
      realmId,
      to: { kind: 'email', address },
      template: 'verify-email',
      locale: 'de-AT',
      values: { minutes: 30, link: LINK, code: '482913' },
      expiresInSeconds: 1800,
    }),
  );
  const mail = await mailbox.next(address);
  t.is(mail.subject, 'Bestätigen Sie Ihre E-Mail-Adresse für Test Group');
  t.is(mail.link, LINK);
  t.is(mail.code, '482913');
  t.regex(mail.html, /<html lang="de" dir="ltr">/);
  t.true(mail.html.includes(LINK.replace('&', '&amp;')));
  t.deepEqual(mail.recipients, [address]);
  t.is(mail.parsed.from?.text, '"Test Group" <no-reply@auth.test.localhost>');
  t.is(mail.parsed.headers.get('auto-submitted'), 'auto-generated');
  t.regex(mail.parsed.messageId ?? '', /^<[0-9a-f-]{36}@auth\.test\.localhost>$/);
});

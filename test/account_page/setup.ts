// Readers of the account page: signed in a moment ago or long ago, and the way through signing in again.

import { NO_LIMITS, realmWith } from '../challenges/setup.ts';
import type { Answer } from '../support/browser.ts';
import { startMailbox } from '../support/mailbox.ts';
import { originOf, PASSWORD, startTestServer, type TestServer } from '../support/server.ts';
import type { signedInBrowser } from '../support/signed_in.ts';

export const AUTH = originOf('auth');
export const NEWS = originOf('news');
export type Reader = Awaited<ReturnType<typeof signedInBrowser>>;

/** Two realms and a mailbox. @param settings of the first realm, beside no limits */
export async function startWithAccountPage(settings = 'default_country: DE', limits = NO_LIMITS) {
  const mailbox = await startMailbox();
  const other =
    '\n  - slug: other\n    auth_domain: auth.other.localhost\n    settings: { signup: open }\n    clients: []\n';
  const yaml = `${realmWith([limits, settings].filter(Boolean).join(', ')).trimEnd()}${other}`;
  const server = await startTestServer({ yaml, mailbox });
  const close = async () => {
    await server.close();
    await mailbox.close();
  };
  return { server, mailbox, close };
}

/** Makes the last sign-in of a reader an hour old. */
export async function age(server: TestServer, { session }: Pick<Reader, 'session'>): Promise<void> {
  await server.services.db.builder.raw(
    `update sessions set authenticated_at = authenticated_at - interval '1 hour' where id = ?`,
    [session.id],
  );
}

/** Presses a button of a form that asks for a recent sign-in, signs in again, and is back on the page. */
export async function throughSignIn({ browser, account }: Reader, sent: Answer): Promise<Answer & { hops: string[] }> {
  const page = await browser.follow(new URL(String(sent.location), AUTH).href, { from: AUTH });
  const signedIn = await browser.submit(page, { identifier: account.email, password: PASSWORD });
  return browser.follow(new URL(String(signedIn.location), AUTH).href, { from: AUTH });
}

/** The part of a page with the form that goes to an address, for `submit`, which takes the first. */
export function formOf(page: Answer, action: string, holding = ''): Answer {
  const forms = page.text.split('<form').map((rest) => `<form${rest}`);
  const found = forms.find((text) => text.includes(`action="${action}"`) && text.includes(holding));
  if (!found) throw new Error(`no form to ${action} on ${page.url}`);
  return { ...page, text: found };
}

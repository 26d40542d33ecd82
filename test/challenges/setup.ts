// A server with a mailbox, and without limits that are not the subject of a test.

import { randomBytes } from 'node:crypto';
import type { PlainToken } from '../../server/lib/ids.ts';
import { startMailbox } from '../support/mailbox.ts';
import { REALM_YAML, startTestServer } from '../support/server.ts';

export const NO_LIMITS =
  'messages_per_recipient: 1000000/1h, messages_per_address: 1000000/1h, codes_per_recipient: 1000000/1h, code_tries_per_address: 1000000/1h, ' +
  'sign_up_per_address: 1000000/1h, sign_in_per_account: 1000000/1h, sign_in_per_device: 1000000/1h, sign_in_per_address: 1000000/1h, sign_in_per_realm: 1000000/1h';

/** The usual realm with settings of its own. */
export const realmWith = (settings: string): string => REALM_YAML.replace('signup: open', `signup: open, ${settings}`);

/** Starts both. @param settings of the realm, beside no limits */
export async function startWithMailbox(settings = 'default_country: DE') {
  const mailbox = await startMailbox();
  const server = await startTestServer({ yaml: realmWith(`${NO_LIMITS}, ${settings}`), mailbox });
  const close = async () => {
    await server.close();
    await mailbox.close();
  };
  return { server, mailbox, close };
}

export const freshEmail = (): string => `reader-${randomBytes(6).toString('hex')}@example.com`;

/** The token in a link of a letter. */
export const tokenIn = (link: string | null | undefined): PlainToken =>
  new URL(String(link)).searchParams.get('token') as PlainToken;

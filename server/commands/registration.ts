// `causeway clients registration-token`: makes an initial access token (RFC 7591 §1.2) with which a program may register so
// many clients until it expires. It is printed once; only its hash is stored.

import type { Command } from 'commander';
import { formatDuration, parseDuration } from '../lib/duration.ts';
import { makeInitialToken } from '../oauth/oauth.ts';
import { type CommandContext, UsageFault, type withContext } from './context.ts';

const MOST_USES = 1000;
const LONGEST_SECONDS = 30 * 86_400;

/** Adds `registration-token` to `causeway clients`. */
export function addRegistrationCommand(clients: Command, inContext: typeof withContext): void {
  clients
    .command('registration-token')
    .description('Makes a token with which a program may register clients, and prints it once.')
    .requiredOption('--realm <SLUG>', 'the realm')
    .option('--uses <N>', `how many clients it is good for, at most ${MOST_USES}`, '1')
    .option('--ttl <DURATION>', `how long it is good for, at most ${formatDuration(LONGEST_SECONDS)}`, '1h')
    .action(({ realm, uses, ttl }: { realm: string; uses: string; ttl: string }) => {
      const wanted = { uses: parseUses(uses), ttlSeconds: parseTtl(ttl) };
      return inContext((context) => makeRegistrationToken(context, realm, wanted));
    });
}

/** Makes a token and prints it. @throws CommandFailed for an unknown realm */
export async function makeRegistrationToken(
  context: CommandContext,
  slug: string,
  wanted: { uses: number; ttlSeconds: number },
): Promise<void> {
  const realm = await context.getRealm(slug);
  const token = await context.db.transaction(async (q) => {
    await context.audit.record(q, {
      type: 'registration-token.made',
      realmId: realm.id,
      detail: { uses: wanted.uses, ttl: wanted.ttlSeconds },
    });
    return makeInitialToken(q, { realmId: realm.id, ...wanted });
  });
  context.print(`token ${token}`);
  context.print(
    `Good for ${wanted.uses} ${wanted.uses === 1 ? 'client' : 'clients'} within ${formatDuration(wanted.ttlSeconds)}, at ${realm.authOrigin}/oauth/register.`,
  );
  context.print('The token is shown this once; only its hash is stored.');
  if (realm.settings.dynamic_registration === 'off')
    context.print(`Realm ${realm.slug} takes no registrations yet: set dynamic_registration: on in its settings.`);
}

function parseUses(text: string): number {
  const uses = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (uses < 1 || uses > MOST_USES) throw new UsageFault(`--uses: write a whole number from 1 to ${MOST_USES}`);
  return uses;
}

function parseTtl(text: string): number {
  const seconds = parseDuration(text) ?? 0;
  if (seconds < 1 || seconds > LONGEST_SECONDS)
    throw new UsageFault(`--ttl: write a duration such as 1h, at most ${formatDuration(LONGEST_SECONDS)}`);
  return seconds;
}

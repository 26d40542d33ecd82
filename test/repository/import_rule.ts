// The import rule as a function: what is wrong with one import of one file under server/, if anything.

import { basename, dirname, posix } from 'node:path';
import type { Import } from '../../docs/source_text.ts';

/** From the bottom up; a folder sees the faces of those before it. */
export const ORDER: readonly string[] = (
  'lib db http audit ratelimit passwords messages keys realms clients sessions challenges accounts mfa login ' +
  'upstream oauth oidc products account_page webhooks bridgekeeper front admin imports commands ops'
).split(' ');
const KERNEL = ['lib', 'db', 'http'];

/** Files that speak HTTP: they may use the guards (`middleware.ts`) of folders before theirs. */
export const isDoor = (path: string): boolean => /(?:^|\/|_)routes\.ts$|\/middleware\.ts$/.test(path);

/** The cellars: `store.ts`, and where a feature has several subjects `<subject>_store.ts`. */
export const isStore = (path: string): boolean => /(?:^|_)store\.ts$/.test(basename(path));

/** Files that may take values from db/: the cellars, the wiring, the wiring of the command line, and who hands jobs out. */
export const mayUseDatabase = (path: string): boolean =>
  isStore(path) ||
  path.startsWith('server/db/') ||
  path.startsWith('server/http/') ||
  [
    'server/services.ts',
    'server/start.ts',
    'server/commands/context.ts',
    'server/oidc/back_channel_logout.ts',
    'server/accounts/letters.ts',
    'server/messages/messages.ts',
    'server/messages/queue.ts',
  ].includes(path);

/**
 * Judges an import.
 * @param path of the importing file, `server/<folder>/<file>.ts` or `server/<file>.ts`
 * @returns what is wrong in a sentence, or null
 */
export function checkImport(path: string, { specifier, isTypeOnly }: Import): string | null {
  if (!specifier.startsWith('.')) return null;
  if (!specifier.endsWith('.ts')) return 'an import carries .ts';
  const from = path.split('/')[1] ?? '';
  if (dirname(path) === 'server') return from === 'config.ts' ? checkConfig(specifier) : null;
  if (specifier.startsWith('../../')) return 'folders under server/ are flat: ../../ leaves it';
  const [, to = '', file] = posix.join(dirname(path), specifier).split('/');
  if (to === from) return null;
  if (file === undefined) return checkTop({ from, to, isTypeOnly });
  const distance = ORDER.indexOf(from) - ORDER.indexOf(to);
  if (!ORDER.includes(from) || !ORDER.includes(to))
    return `the folder ${ORDER.includes(from) ? to : from} has no place in the order`;
  if (distance < 0) return `${from} comes before ${to}`;
  if (to === 'db' && !isTypeOnly && !mayUseDatabase(path)) return 'values of db/ are for store.ts';
  if (KERNEL.includes(to) || file === `${to}.ts`) return null;
  if (file === 'middleware.ts')
    return isDoor(path) ? null : 'middleware.ts of another folder is for routes and middleware';
  return `only the face ${to}/${to}.ts may be imported from outside`;
}

function checkConfig(specifier: string): string | null {
  return specifier.startsWith('./lib/') ? null : 'config.ts knows lib alone';
}

/** server/*.ts belong to nobody below, but for the type of the configuration; commands are an entry of their own. */
function checkTop({ from, to, isTypeOnly }: { from: string; to: string; isTypeOnly: boolean }): string | null {
  if (to !== 'config.ts') return `${to} is above every folder`;
  return isTypeOnly || from === 'commands'
    ? null
    : 'features are handed the configuration; only its type may be imported';
}

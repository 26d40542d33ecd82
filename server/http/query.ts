// Query strings, read strictly: a defined parameter may stand once (RFC 6749 §3.1) and must be well-formed; parameters
// that the endpoint does not define are ignored, however odd.

import { AppError } from './errors.ts';
import type { Context } from './route.ts';
import { isCleanText } from './text.ts';

/**
 * The values of the named parameters.
 * @returns one entry per name that is present and not empty (an empty value counts as absent, RFC 6749 §3.1)
 * @throws AppError invalid_request when one is repeated or malformed
 */
export function readQuery<Name extends string>(ctx: Context, names: readonly Name[]): Partial<Record<Name, string>> {
  return parseQuery(ctx.querystring, names);
}

/** The same of a query string. */
export function parseQuery<Name extends string>(text: string, names: readonly Name[]): Partial<Record<Name, string>> {
  const found: Record<string, string> = {};
  const wanted: readonly string[] = names;
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=');
    const written = equals < 0 ? pair : pair.slice(0, equals);
    // Mostly it is written as it is named.
    const name = wanted[wanted.indexOf(written)] ?? decode(written);
    if (name === null || !wanted.includes(bareName(name))) continue;
    // `code[]=a` and `code[x]=a` are other spellings of a repeated parameter.
    if (!wanted.includes(name) || found[name] !== undefined)
      throw new AppError('invalid_request', {
        description: `Send the parameter ${bareName(name)} once, as plain text.`,
      });
    const value = decode(equals < 0 ? '' : pair.slice(equals + 1));
    if (value === null || !isCleanText(value))
      throw new AppError('invalid_request', {
        description: `The parameter ${name} is not well-formed percent-encoded UTF-8.`,
      });
    found[name] = value;
  }
  // Taken out last: an empty one that stands twice is still a repeated one.
  for (const name in found) if (found[name] === '') delete found[name];
  return found as Partial<Record<Name, string>>;
}

function bareName(name: string): string {
  const bracket = name.indexOf('[');
  return bracket < 0 ? name : name.slice(0, bracket);
}

function decode(text: string): string | null {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return null;
  }
}

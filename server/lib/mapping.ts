// JMESPath expressions that an operator writes (https://jmespath.site): where one is faulty, and what it makes of a value.
// The library reads whatever JavaScript finds under a name, prototypes included, so values are copied into bare objects first.

import { compile, isRegistered, search, tokenize } from '@jmespath-community/jmespath';

type Compiled = ReturnType<typeof compile>;
type Value = Parameters<typeof search>[0];

export type Mapped = { ok: true; value: unknown } | { ok: false; fault: string };

/** Longest expression; the tables that products ask for stay far below. */
export const LONGEST_MAPPING = 10_000;

/** What is wrong with an expression and at which character, counted from 1; null when nothing is. */
export function findMappingFault(expression: string): string | null {
  if (expression.length > LONGEST_MAPPING) return `write ${LONGEST_MAPPING} characters or fewer`;
  const quote = findOpenQuote(expression);
  if (quote !== null) return `not JMESPath at character ${quote + 1}: a quote that is not closed`;
  let compiled: Compiled;
  try {
    compiled = compile(expression);
  } catch (error) {
    return `not JMESPath at character ${faultAt(expression) + 1}: ${lowerFirst(messageOf(error))}`;
  }
  const unknown = findUnknownFunction(compiled);
  return unknown === null
    ? null
    : `not JMESPath at character ${expression.indexOf(unknown) + 1}: there is no function ${unknown}()`;
}

/** What an expression makes of a value; a fault when a function is given something that it does not take. */
export function applyMapping(expression: string, value: unknown): Mapped {
  try {
    return { ok: true, value: search(bare(value) as Value, expression) ?? null };
  } catch (error) {
    return { ok: false, fault: messageOf(error) };
  }
}

/** A mapped object without its absent fields; null when the expression made something else than an object. */
export function presentObject(value: unknown): Record<string, unknown> | null {
  if (!isObject(value)) return null;
  const present = Object.entries(value).filter(([, inside]) => inside != null);
  return Object.fromEntries(present.map(([key, inside]) => [key, isObject(inside) ? presentObject(inside) : inside]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The same data without prototypes, so that `user.constructor` names nothing. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = Object.create(null);
  for (const [key, inside] of Object.entries(value)) copy[key] = bare(inside);
  return copy;
}

/**
 * Where parsing goes wrong: the token after which no continuation helps. A prefix that is merely unfinished fails at its end,
 * one that holds the fault fails before, and so does every longer one; so the place is found by halving.
 */
function faultAt(expression: string): number {
  let starts: number[];
  try {
    starts = tokenize(expression).map(({ start }) => start);
  } catch {
    return lexerFaultAt(expression);
  }
  const isBroken = (count: number) => {
    const message = messageOf(tryCompile(expression.slice(0, starts[count] ?? expression.length)));
    return message !== '' && !/EOF/.test(message);
  };
  let [least, most] = [1, starts.length + 1];
  while (least < most) {
    const middle = Math.floor((least + most) / 2);
    if (isBroken(middle)) most = middle;
    else least = middle + 1;
  }
  return starts[least - 1] ?? expression.length;
}

/** The first character that can begin no token, or the quote that is never closed. */
function lexerFaultAt(expression: string): number {
  const fails = (length: number) => {
    try {
      tokenize(expression.slice(0, length));
      return false;
    } catch {
      return true;
    }
  };
  // Quoted text fails at every length until it is closed: the fault is the start of the last run of failures.
  let at = expression.length;
  while (at > 0 && fails(at)) at -= 1;
  return at;
}

function tryCompile(expression: string): unknown {
  try {
    compile(expression);
    return null;
  } catch (error) {
    return error;
  }
}

/** The library takes raw strings that are never closed. */
function findOpenQuote(expression: string): number | null {
  for (let at = 0; at < expression.length; at++) {
    const quote = expression[at];
    if (quote !== "'" && quote !== '"' && quote !== '`') continue;
    const start = at++;
    while (at < expression.length && expression[at] !== quote) at += expression[at] === '\\' ? 2 : 1;
    if (at >= expression.length) return start;
  }
  return null;
}

function findUnknownFunction(node: unknown): string | null {
  if (typeof node !== 'object' || node === null) return null;
  const { type, name } = node as { type?: unknown; name?: unknown };
  if (type === 'Function' && typeof name === 'string' && !isRegistered(name)) return name;
  for (const inside of Object.values(node)) {
    const found = findUnknownFunction(inside);
    if (found !== null) return found;
  }
  return null;
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message.replace(/^syntax(?: error)?[:,] */i, '') : '';
const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

// Request bodies: read with limits, parsed strictly, validated by a zod schema. What is refused: compressed bodies, other
// content types, more than 100 KB, JSON deeper than 32 levels, repeated JSON keys, control characters, repeated form fields.

import getRawBody from 'raw-body';
import { z } from 'zod';
import { arrivedBody } from './arrived_body.ts';
import { AppError } from './errors.ts';
import type { Context } from './route.ts';
import { isCleanText } from './text.ts';

const LARGEST_BODY_BYTES = 100 * 1024;
const DEEPEST_JSON = 32;
const MOST_FORM_FIELDS = 100;
/** How forms are sent to us. */
export const FORM = 'application/x-www-form-urlencoded';

/** A field of a hosted form: text, empty when it is absent, and bounded before anything looks at it. */
export const formField = z.string().max(8000).default('');

/**
 * The JSON object in the body, as the schema types it; fields that the schema does not name are dropped.
 * @throws AppError unsupported_media_type, payload_too_large, or invalid_request naming the field and what it must be
 */
export async function readJson<Schema extends z.ZodType>(ctx: Context, schema: Schema): Promise<z.infer<Schema>> {
  requireContentType(ctx, 'application/json');
  const text = await readText(ctx);
  return validate(schema, parseJsonObject(text));
}

/** The fields of a form body (`application/x-www-form-urlencoded`), each present at most once. Throws as readJson. */
export async function readForm<Schema extends z.ZodType>(ctx: Context, schema: Schema): Promise<z.infer<Schema>> {
  requireContentType(ctx, FORM);
  return validate(schema, Object.fromEntries(parseForm(await readText(ctx))));
}

/** The fields of a form, each at most once. @throws AppError invalid_request */
export function parseForm(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  const pairs = text === '' ? [] : text.split('&');
  if (pairs.length > MOST_FORM_FIELDS)
    throw new AppError('invalid_request', { description: `Send at most ${MOST_FORM_FIELDS} fields.` });
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = decodeField(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decodeField(pair.slice(equals + 1));
    if (fields.has(name)) throw new AppError('invalid_request', { description: 'A form field may stand only once.' });
    fields.set(name, value);
  }
  return fields;
}

/**
 * Every field of a form body by name; an empty value counts as absent (RFC 6749 §3.1, §3.2).
 * @throws AppError as readForm, for a repeated field too
 */
export async function readRawForm(ctx: Context): Promise<ReadonlyMap<string, string>> {
  requireContentType(ctx, FORM);
  return withoutEmpty(parseForm(await readText(ctx)));
}

/** Fields without those that are empty. */
export function withoutEmpty(fields: Map<string, string>): ReadonlyMap<string, string> {
  // Taken out last: an empty one that stands twice is still a repeated one.
  for (const [name, value] of fields) if (value === '') fields.delete(name);
  return fields;
}

/** Whether a request declares exactly that content type, with no parameter but `charset=utf-8`. */
export function hasContentType(ctx: Context, type: string): boolean {
  return isContentType(ctx.get('Content-Type'), type);
}

/** The same of the value of a header. */
export function isContentType(declared: string, type: string): boolean {
  if (declared === type) return true;
  const [essence = '', ...parameters] = declared
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  return essence === type && parameters.every((parameter) => /^charset="?utf-8"?$/.test(parameter));
}

function requireContentType(ctx: Context, type: string) {
  if (!hasContentType(ctx, type))
    throw new AppError('unsupported_media_type', { description: `Send the body as ${type}.` });
  const encoding = ctx.get('Content-Encoding');
  if (encoding && encoding !== 'identity')
    throw new AppError('unsupported_media_type', { description: 'Send the body uncompressed.' });
}

async function readText(ctx: Context): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await (arrivedBody(ctx.req) ??
      getRawBody(ctx.req, { limit: LARGEST_BODY_BYTES, length: ctx.get('Content-Length') || null }));
  } catch (error) {
    // The rest of the body is not waited for: the connection ends with the answer.
    ctx.set('Connection', 'close');
    if ((error as { type?: string }).type === 'entity.too.large') throw new AppError('payload_too_large');
    throw new AppError('invalid_request', { description: 'The body did not arrive whole.', cause: error });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new AppError('invalid_request', { description: 'The body is not UTF-8.' });
  }
}

function parseJsonObject(text: string): Record<string, unknown> {
  checkJsonShape(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError('invalid_request', { description: 'The body is not valid JSON.' });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid_request', { description: 'The body must be a JSON object.' });
  }
  checkStrings(value);
  return value as Record<string, unknown>;
}

const JSON_TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/gs;

/**
 * One pass over the tokens, without recursion: depth and repeated keys. JSON.parse keeps the last of two equal keys in
 * silence, and a filter in front of us may have judged the first.
 */
function checkJsonShape(text: string) {
  const scopes: (Set<string> | null)[] = [];
  let previous = '';
  for (const [token] of text.matchAll(JSON_TOKEN)) {
    if (token === '{' || token === '[') {
      if (scopes.push(token === '{' ? new Set() : null) > DEEPEST_JSON) {
        throw new AppError('invalid_request', { description: `Nest JSON at most ${DEEPEST_JSON} levels deep.` });
      }
    } else if (token === '}' || token === ']') scopes.pop();
    else if (token === ':') {
      const keys = scopes.at(-1);
      const key = unescapeKey(previous);
      if (keys?.has(key) || key === '__proto__')
        throw new AppError('invalid_request', { description: 'A JSON key stands twice or is not allowed.' });
      keys?.add(key);
    }
    previous = token;
  }
}

function unescapeKey(token: string): string {
  try {
    return String(JSON.parse(token));
  } catch {
    return token;
  }
}

function checkStrings(value: unknown) {
  if (typeof value === 'string') {
    if (!isCleanText(value))
      throw new AppError('invalid_request', {
        description: 'Text in the body has control characters or is not well-formed Unicode.',
      });
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, entry] of Object.entries(value)) {
      checkStrings(key);
      checkStrings(entry);
    }
  }
}

function validate<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
  throw new AppError('invalid_request', { description: `The request is not as expected. ${faults.join('; ')}` });
}

/** What stands for itself, in a form as browsers and libraries write it. */
const PLAIN_FIELD = /^[A-Za-z0-9*._~-]*$/;

function decodeField(text: string): string {
  if (PLAIN_FIELD.test(text)) return text;
  let decoded: string;
  try {
    decoded = decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new AppError('invalid_request', { description: 'A form field is not well-formed percent-encoded UTF-8.' });
  }
  if (!isCleanText(decoded))
    throw new AppError('invalid_request', { description: 'A form field has control characters.' });
  return decoded;
}

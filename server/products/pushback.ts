// What a pushed profile means, pure: from the body that a product sends, by the expressions that the operator wrote, to the
// account that is meant, the event, and the fields that may be written. (Qualifio calls its side of this a webhook.)

import type { Pushback, PushbackField } from '../clients/clients.ts';
import { isCleanText } from '../http/text.ts';
import { applyMapping, presentObject } from '../lib/mapping.ts';

const LONGEST = { event: 255, text: 200, url: 2048, address: 2000 } as const;

export type ProfileFields = Partial<Record<'name' | 'firstName' | 'lastName' | 'phoneNumber' | 'avatarUrl', string>>;
export type PushedProfile = {
  eventId: string;
  account: { sub: string } | { verifiedEmail: string };
  fields: ProfileFields;
  metadata: { address?: string | Record<string, string> };
  /** Names that are written, as the operator spells them. */
  names: PushbackField[];
};
export type PushbackRead = { ok: true; pushed: PushedProfile } | { ok: false; fault: string };

const COLUMNS = {
  name: 'name',
  first_name: 'firstName',
  last_name: 'lastName',
  phone_number: 'phoneNumber',
  avatar_url: 'avatarUrl',
} as const;

/** @param sent body: parsed JSON; eventHeader: value of `Idempotency-Key` or `webhook-id` */
export function readPushback(
  pushback: Pushback,
  sent: { body: Record<string, unknown>; eventHeader: string | null },
): PushbackRead {
  const eventId = pushback.event_id === undefined ? sent.eventHeader : textAt(pushback.event_id, sent.body);
  if (eventId === null || eventId.length > LONGEST.event) {
    return {
      ok: false,
      fault:
        pushback.event_id === undefined
          ? 'Name the event in the header Idempotency-Key or webhook-id.'
          : 'The event id is missing.',
    };
  }
  const reference = textAt(pushback.match, sent.body);
  if (reference === null) return { ok: false, fault: 'The account is not named.' };
  const mapped = applyMapping(pushback.mapping, sent.body);
  const values = mapped.ok ? presentObject(mapped.value) : null;
  if (!values) return { ok: false, fault: 'The mapping of this client makes no profile of this body.' };
  const pushed: PushedProfile = {
    eventId,
    account: pushback.match_by === 'sub' ? { sub: reference } : { verifiedEmail: reference },
    fields: {},
    metadata: {},
    names: [],
  };
  for (const name of pushback.fields) {
    const value = values[name];
    if (value === undefined) continue;
    if (!put(pushed, name, value)) return { ok: false, fault: `The value of ${name} is not one that is taken.` };
    pushed.names.push(name);
  }
  return { ok: true, pushed };
}

function put(pushed: PushedProfile, name: PushbackField, value: unknown): boolean {
  if (name === 'address') {
    if (!isAddress(value)) return false;
    pushed.metadata.address = value;
    return true;
  }
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || text.trim() === '' || !isCleanText(text)) return false;
  if (name === 'avatar_url' ? text.length > LONGEST.url || !isHttpsUrl(text) : text.trim().length > LONGEST.text)
    return false;
  pushed.fields[COLUMNS[name]] = text.trim();
  return true;
}

/** OpenID Connect Core §5.1.1: an address is text, or an object of texts. */
function isAddress(value: unknown): value is string | Record<string, string> {
  if (JSON.stringify(value).length > LONGEST.address) return false;
  if (typeof value === 'string') return value.trim() !== '';
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((part) => typeof part === 'string')
  );
}

function isHttpsUrl(text: string): boolean {
  return URL.canParse(text) && new URL(text).protocol === 'https:';
}

/** A text, or a number in digits, that an expression finds; null for anything else. */
function textAt(expression: string, body: unknown): string | null {
  const found = applyMapping(expression, body);
  const value = found.ok ? found.value : null;
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value.trim() !== '' && isCleanText(value) ? value.trim() : null;
}

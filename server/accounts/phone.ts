// Phone numbers: what is accepted, and the one form (E.164) under which a number is stored, looked up and unique.

import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js';

const LONGEST = 40;

/**
 * A number in E.164; null when it is none. Without `+` it is read as one of the realm's country first, then as one that begins
 * with a country calling code, which is how published clients send it (as a JSON number even).
 */
export function parsePhone(text: string, defaultCountry: string | null): string | null {
  const typed = text.trim();
  if (typed === '' || typed.length > LONGEST || !/^\+?[\d\s()./-]+$/.test(typed)) return null;
  const country = defaultCountry !== null && isSupportedCountry(defaultCountry) ? defaultCountry : undefined;
  return typed.startsWith('+') ? read(typed) : ((country && read(typed, country)) ?? read(`+${typed}`));
}

function read(text: string, country?: CountryCode): string | null {
  const parsed = parsePhoneNumberFromString(text, { ...(country && { defaultCountry: country }), extract: false });
  return parsed?.isValid() ? parsed.number : null;
}

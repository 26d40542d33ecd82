// Phone numbers: what is accepted, and the one form (E.164) under which a number is stored, looked up and unique.

import { createRequire } from 'node:module';
import type { CountryCode } from 'libphonenumber-js';

const LONGEST = 40;

/** What is known of the numbers of all countries takes 4 MB: it is loaded when the first number is typed. */
const loadPlans = () => require('libphonenumber-js') as typeof import('libphonenumber-js');
const require = createRequire(import.meta.url);

/**
 * A number in E.164; null when it is none. Published clients leave the `+` out (they send a JSON number): what begins with the
 * calling code of the realm's country is read so, everything else as a number of that country, then as one of any.
 */
export function parsePhone(text: string, defaultCountry: string | null): string | null {
  const typed = text.trim();
  if (typed === '' || typed.length > LONGEST || !/^\+?[\d\s()./-]+$/.test(typed)) return null;
  const { getCountryCallingCode, isSupportedCountry } = loadPlans();
  if (typed.startsWith('+')) return read(typed);
  if (defaultCountry === null || !isSupportedCountry(defaultCountry)) return read(`+${typed}`);
  const international = typed.startsWith(getCountryCallingCode(defaultCountry)) ? read(`+${typed}`) : null;
  return international ?? read(typed, defaultCountry) ?? read(`+${typed}`);
}

function read(text: string, country?: CountryCode): string | null {
  const { parsePhoneNumberFromString } = loadPlans();
  const parsed = parsePhoneNumberFromString(text, { ...(country && { defaultCountry: country }), extract: false });
  return parsed?.isValid() ? parsed.number : null;
}

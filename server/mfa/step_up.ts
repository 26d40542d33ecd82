// What an authentication is worth and whether a request asks for more: pure rules over amr, acr and the age of a sign-in.

/** Authentication context: one factor, or more (names of our own, advertised in the metadata). */
export const ACR = { one: 'urn:causeway:acr:1', several: 'urn:causeway:acr:2' } as const;

/** RFC 8176 §2: the value that says that more than one factor was proven. */
const MULTI_FACTOR = 'mfa';

/** Whether what was proven is more than one factor, such as password and code, or a passkey with user verification. */
export const isMultiFactor = (amr: readonly string[]): boolean => amr.includes(MULTI_FACTOR);

/** The methods of a sign-in together with those of its second factor. */
export const withSecondFactor = (amr: readonly string[], second: readonly string[]): string[] => [
  ...new Set([...amr, ...second, MULTI_FACTOR]),
];

/** The authentication context class that methods amount to (OpenID Connect Core §2, `acr`). */
export const acrOf = (amr: readonly string[]): string => (isMultiFactor(amr) ? ACR.several : ACR.one);

/** What a request asks for: `acr_values` by preference, `acr` as an essential claim (null: not asked for). */
export type Asked = { acrValues: readonly string[]; essentialAcr: readonly string[] | null };

/**
 * What a signed-in reader still has to do before a request may be answered; null when nothing.
 * `unmet`: nothing that this reader can do would satisfy it (OpenID Connect Core §5.5.1.1).
 * @param has the authentication context of the session
 */
export function stepUpNeed({ acrValues, essentialAcr }: Asked, has: string): 'second-factor' | 'unmet' | null {
  if (essentialAcr) {
    if (essentialAcr.includes(acrAnswer(essentialAcr, has))) return null;
    return essentialAcr.includes(ACR.several) ? 'second-factor' : 'unmet';
  }
  // OpenID Connect Core §3.1.2.1: acr_values is a wish in the order of preference; the first that we know is heeded.
  const wished = acrValues.find((value) => value === ACR.one || value === ACR.several);
  return wished === ACR.several && has === ACR.one ? 'second-factor' : null;
}

/** The `acr` of a token: what the session is worth, or the one factor that was asked for and that two are as well. */
export function acrAnswer(essentialAcr: readonly string[] | null, has: string): string {
  const asksForOne = essentialAcr?.includes(ACR.one) && !essentialAcr.includes(has);
  return asksForOne && has === ACR.several ? ACR.one : has;
}

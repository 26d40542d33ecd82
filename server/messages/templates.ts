// Every message that the server sends, and the values that each takes. The words are in views/locales, group
// `message.<template>`: subject, lead, note, `action` where there is a link, `text` for text messages.

/** What a value is: a link is an address of ours, a code is shown large, a time is milliseconds since 1970. */
type Kind = 'text' | 'number' | 'time' | 'link' | 'code';

type Shape = {
  channel: 'email' | 'phone';
  needs: Readonly<Record<string, Kind>>;
  /** May be left out. */
  takes?: Readonly<Record<string, Kind>>;
};

export const TEMPLATES = {
  /** Proof that an address is one's own; by link, code, or both. */
  'verify-email': { channel: 'email', needs: { minutes: 'number' }, takes: { link: 'link', code: 'code' } },
  'reset-password': { channel: 'email', needs: { minutes: 'number' }, takes: { link: 'link', code: 'code' } },
  'sign-in-code': { channel: 'email', needs: { code: 'code', minutes: 'number' } },
  'sign-in-link': { channel: 'email', needs: { link: 'link', minutes: 'number' } },
  'sign-up-code': { channel: 'email', needs: { minutes: 'number' }, takes: { code: 'code', link: 'link' } },
  /** The answer to a sign-up with an address that has an account: only its owner learns that. */
  'account-exists': { channel: 'email', needs: { link: 'link' } },
  /** To the new address, before it counts. */
  'change-email': { channel: 'email', needs: { minutes: 'number' }, takes: { link: 'link', code: 'code' } },
  /** To the old address; the link takes the change back. */
  'email-changed': { channel: 'email', needs: { link: 'link', days: 'number', time: 'time' } },
  'password-changed': {
    channel: 'email',
    needs: { link: 'link', time: 'time' },
    takes: { device: 'text', address: 'text' },
  },
  'new-device': {
    channel: 'email',
    needs: { link: 'link', time: 'time' },
    takes: { device: 'text', address: 'text' },
  },
  /** `change`: added, removed; `factor`: totp, passkey, recovery_codes, phone, upstream (with `provider`), or any name. */
  'factor-changed': {
    channel: 'email',
    needs: { change: 'text', factor: 'text', link: 'link', time: 'time' },
    takes: { provider: 'text', device: 'text', address: 'text' },
  },
  'account-deleted': { channel: 'email', needs: { time: 'time' } },
  'phone-code': { channel: 'phone', needs: { code: 'code', minutes: 'number' } },
} as const satisfies Record<string, Shape>;

export type TemplateName = keyof typeof TEMPLATES;
export type Channel = (typeof TEMPLATES)[TemplateName]['channel'];

type ValueOf<K> = K extends 'number' | 'time' ? number : string;
type Takes<T> = T extends { takes: infer Taken } ? Taken : Record<never, never>;
/** The values of one template, as its sender must give them. */
export type ValuesOf<Name extends TemplateName> = {
  readonly [Key in keyof (typeof TEMPLATES)[Name]['needs']]: ValueOf<(typeof TEMPLATES)[Name]['needs'][Key]>;
} & {
  readonly [Key in keyof Takes<(typeof TEMPLATES)[Name]>]?: ValueOf<Takes<(typeof TEMPLATES)[Name]>[Key]>;
};

/** What a value of a template is; null for a name that it does not take. */
export function kindOf(template: TemplateName, name: string): Kind | null {
  const shape: Shape = TEMPLATES[template];
  const kinds: Readonly<Record<string, Kind>> = { ...shape.needs, ...shape.takes };
  return Object.hasOwn(kinds, name) ? (kinds[name] ?? null) : null;
}

export function isTemplate(name: string): name is TemplateName {
  return Object.hasOwn(TEMPLATES, name);
}

// What a challenge may be for. A code or link made for one purpose answers no other (security 148, 149).

type Rule = {
  /** Whose newer challenge takes the place of the older: the account's, the recipient's, or the pair's. */
  subject: 'account' | 'recipient' | 'account-recipient';
  /** How long the typed code counts; null when there is none. */
  codeSeconds: number | null;
  /** How long the link counts; null when there is none. */
  linkSeconds: number | null;
  says: string;
};

/** Six digits can be guessed, so they live 10 minutes; a link has 256 bits and waits until somebody has read the mail. */
const CODE = 600;
const HOUR = 3600;

export const PURPOSES = {
  'one-time-code': {
    subject: 'recipient',
    codeSeconds: CODE,
    linkSeconds: null,
    says: 'send-otp of the session-sharing API: sign in, sign up, confirm an address, set a new password',
  },
  'sign-in': {
    subject: 'recipient',
    codeSeconds: CODE,
    linkSeconds: HOUR / 2,
    says: 'code and link of the hosted sign-in page',
  },
  'sign-up': {
    subject: 'account',
    codeSeconds: null,
    linkSeconds: 24 * HOUR,
    says: 'nothing is sent: which browser made an account that is not verified yet',
  },
  'verify-email': {
    subject: 'account',
    codeSeconds: CODE,
    linkSeconds: HOUR,
    says: 'the address of an account is its own',
  },
  'reset-password': { subject: 'account', codeSeconds: CODE, linkSeconds: HOUR, says: 'a new password' },
  'add-contact': {
    subject: 'account',
    codeSeconds: CODE,
    linkSeconds: null,
    says: 'send-otp of somebody who is signed in, to an address or phone number that is not yet the account’s',
  },
  'change-email': {
    subject: 'account',
    codeSeconds: CODE,
    linkSeconds: HOUR,
    says: 'the new address of an account, before it takes the place of the old one',
  },
  'undo-email-change': {
    subject: 'account-recipient',
    codeSeconds: null,
    linkSeconds: 7 * 24 * HOUR,
    says: 'sent to the old address after a change',
  },
} as const satisfies Record<string, Rule>;

export type Purpose = keyof typeof PURPOSES;

/** Survives a change of password or address: it is what an owner has against somebody who changed both. */
export const KEPT: readonly Purpose[] = ['undo-email-change'];

/** The key under which there is one open challenge of a purpose. Account ids are digits, recipients never are. */
export function subjectOf(purpose: Purpose, of: { accountId: string | null; recipient: string }): string {
  const { subject }: Rule = PURPOSES[purpose];
  switch (subject) {
    case 'recipient':
      return of.recipient;
    case 'account':
      return requireAccount(of.accountId);
    case 'account-recipient':
      return `${requireAccount(of.accountId)} ${of.recipient}`;
    default:
      return subject satisfies never;
  }
}

function requireAccount(accountId: string | null): string {
  if (accountId === null) throw new Error('this purpose needs an account');
  return accountId;
}

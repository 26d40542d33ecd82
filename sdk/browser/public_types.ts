// Types of the browser script, for pages that use the global `causeway`. The script itself is checked against them.
// In a TypeScript project copy causeway.d.ts and name it in "files", or `import type { User } from` it.

/** The signed-in reader, as `GET /api/auth/v1/users/me` answers. Absent values are null; times are epoch milliseconds. */
export interface User {
  id: number;
  name: string | null;
  email: string | null;
  username: string | null;
  'created-at': number | null;
  'updated-at': number | null;
  'avatar-url': string | null;
  'avatar-s3-key': string | null;
  'first-name': string | null;
  'last-name': string | null;
  slug: string | null;
  'communication-email': string | null;
  'phone-number': string | null;
  'login-phone-number': string | null;
  metadata: Record<string, unknown> | null;
  'verification-status': 'email' | 'phone' | null;
  'is-tfa-enabled': boolean | null;
}

/** What the promises reject with when the answer is unknown. `status` is the HTTP status, 0 when there was no answer. */
export interface CausewayError extends Error {
  status: number;
}

export interface Settings {
  /** The client id of this site; same as `data-client-id` on the script tag. */
  clientId?: string;
  /** Ask the auth domain silently, once, whether this reader is signed in; same as `data-auto-sign-in`. */
  autoSignIn?: boolean;
  /** Minutes between two silent questions of one browser, at least 1, default 10; same as `data-quiet-minutes`. */
  quietMinutes?: number;
  /** The sentence in a popup that the browser does not let us close; same as `data-close-text`. */
  closeText?: string;
}

export interface SignInOptions {
  /** Sign in through a popup window; a blocked popup becomes the ordinary navigation. */
  popup?: boolean;
  /** Page of this origin to land on after the ordinary navigation; default is the current page. */
  returnTo?: string;
}

export interface Causeway {
  /** The signed-in reader or null. Rejects with a CausewayError when that cannot be known (503, no network). */
  me(): Promise<User | null>;
  /** Call it in a click handler. Without a popup the page is left; the promise then settles only if it comes back. */
  signIn(options?: SignInOptions): Promise<User | null>;
  /**
   * Signs in with a passkey without leaving the page; call it in a click handler. Null when the reader has none or cancels.
   * Where the browser cannot, it does what `signIn` does.
   */
  signInWithPasskey(): Promise<User | null>;
  /** Ends the session on every site of the realm. Rejects, and reports nothing, when the server did not confirm it. */
  signOut(options?: { returnTo?: string }): Promise<void>;
  /** Calls back as soon as the state is known and on each change. Returns the function that ends it. */
  onChange(callback: (user: User | null) => void): () => void;
  /** Sets what the script tag did not say; later calls change only what they name. */
  configure(settings: Settings): void;
}

declare global {
  var causeway: Causeway;
}

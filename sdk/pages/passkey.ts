// The script of the hosted pages that take a passkey: sign-in, second factor, and the list of an account's passkeys. Bundled by
// build.ts into passkey.js and served under /assets. A form marked `data-passkey` is filled with what the authenticator
// answered and sent as if by hand; without this script it stays hidden, and the page's other ways in are all there.

import {
  browserSupportsWebAuthn,
  browserSupportsWebAuthnAutofill,
  startAuthentication,
  startRegistration,
} from '@simplewebauthn/browser';

/** A ceremony lives 5 minutes; a page that waits for the browser's own list asks for a new one before that. */
const RENEW_MS = 240_000;

type Begun<Options> = { ceremony: string; options: Options };
type Creation = Begun<Parameters<typeof startRegistration>[0]['optionsJSON']>;
type Request = Begun<Parameters<typeof startAuthentication>[0]['optionsJSON']>;

async function begin<Answer>(form: HTMLFormElement): Promise<Answer> {
  const response = await fetch(form.dataset['options'] ?? '', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{}',
  });
  if (!response.ok) throw new Error(`options: ${response.status}`);
  return response.json();
}

function send(form: HTMLFormElement, ceremony: string, response: object): void {
  for (const [name, value] of Object.entries({ ceremony, response: JSON.stringify(response) })) {
    const field = form.elements.namedItem(name);
    if (field instanceof HTMLInputElement) field.value = value;
  }
  form.submit();
}

function tell(form: HTMLFormElement, isFailed: boolean): void {
  const text = form.querySelector<HTMLElement>('[data-passkey-failed]');
  if (text) text.hidden = !isFailed;
}

/** What the button does: asks the authenticator, or says that nothing came of it. */
async function act(form: HTMLFormElement): Promise<void> {
  tell(form, false);
  try {
    if (form.dataset['passkey'] === 'add') {
      const { ceremony, options } = await begin<Creation>(form);
      send(form, ceremony, await startRegistration({ optionsJSON: options }));
    } else {
      const { ceremony, options } = await begin<Request>(form);
      send(form, ceremony, await startAuthentication({ optionsJSON: options }));
    }
  } catch {
    tell(form, true);
    if (form.dataset['passkey'] === 'sign-in') offerInField(form);
  }
}

/** Passkeys in the browser's own list under the field for the user name (WebAuthn L3 §5.1.4, conditional mediation). */
async function offerInField(form: HTMLFormElement): Promise<void> {
  if (!(await browserSupportsWebAuthnAutofill())) return;
  try {
    const { ceremony, options } = await begin<Request>(form);
    const renewal = setTimeout(() => offerInField(form), RENEW_MS);
    const response = await startAuthentication({ optionsJSON: options, useBrowserAutofill: true });
    clearTimeout(renewal);
    send(form, ceremony, response);
  } catch {
    // Given up for the button, for a newer ceremony, or because there is no passkey here: nobody has asked for anything.
  }
}

if (browserSupportsWebAuthn()) {
  for (const form of document.querySelectorAll<HTMLFormElement>('form[data-passkey]')) {
    form.hidden = false;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      act(form);
    });
    if (form.dataset['passkey'] === 'sign-in') offerInField(form);
  }
}

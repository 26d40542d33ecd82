// Chromium's own authenticator for tests (WebAuthn L3 §11), one for each tab; it follows the tab from site to site.

import type { CDPSession, Page } from 'playwright-core';

export type Credential = { credentialId: string; rpId?: string; userHandle?: string; signCount: number };

/** Gives a tab an authenticator. @param isVerifying false: a security key that asks for no PIN */
export async function addAuthenticator(tab: Page, { isVerifying = true } = {}) {
  const cdp: CDPSession = await tab.context().newCDPSession(tab);
  await cdp.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: isVerifying ? 'internal' : 'usb',
      hasResidentKey: true,
      hasUserVerification: isVerifying,
      isUserVerified: isVerifying,
      automaticPresenceSimulation: true,
    },
  });
  const list = async (): Promise<Credential[]> =>
    (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
  return { list };
}

// What a page does with Causeway's browser script: keep the header and the members' text true while the page is open.
// The page is right before this runs (the server rendered it); if /api/auth/v1/sdk.js did not load, the plain links
// "Sign in" and "Sign out" still do their work.
const { causeway } = window;

const account = document.querySelector('[data-account-state]');
const accountName = document.querySelector('[data-account-name]');
const signInBoxes = document.querySelectorAll('[data-when-anonymous]');
const signedInBoxes = document.querySelectorAll('[data-when-signed-in]');
const signOutLink = document.querySelector('[data-sign-out]');
const popupButtons = document.querySelectorAll('[data-sign-in-popup]');
const members = document.querySelector('[data-members-only]');

if (causeway) {
  // Called at once, and again whenever the reader signs in or out: here, in another tab, or on another site.
  causeway.onChange((user) => {
    showAccount(user);
    if (members) showMembers(user !== null);
  });

  // "Sign in" stays a plain link. The small window is for pages that must not be left, such as a half-written comment.
  for (const button of popupButtons) {
    button.hidden = false;
    button.addEventListener('click', () => causeway.signIn({ popup: true }));
  }

  // Without leaving the page; if that fails, the link's own way is taken.
  signOutLink.addEventListener('click', async (event) => {
    event.preventDefault();
    try {
      await causeway.signOut();
    } catch {
      location.assign(signOutLink.href);
    }
  });
}

// A page that the back button brings back from memory may greet somebody who has signed out since: ask the server again.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});

function showAccount(user) {
  account.dataset.accountState = user ? 'signed-in' : 'anonymous';
  accountName.textContent = user ? user.name || user.username || 'reader' : '';
  for (const box of signInBoxes) box.hidden = user !== null;
  for (const box of signedInBoxes) box.hidden = user === null;
}

// Signed out, the text leaves the document, it is not merely hidden. Signed in, the server is asked for it: the page
// itself never holds what the reader may not see.
async function showMembers(isSignedIn) {
  const text = members.querySelector('[data-members-text]');
  if (!isSignedIn) return text.replaceChildren();
  if (text.childElementCount > 0) return;
  const response = await fetch(members.dataset.membersSource);
  const { paragraphs } = response.ok ? await response.json() : { paragraphs: ['Please reload the page to read on.'] };
  if (account.dataset.accountState !== 'signed-in') return; // signed out while we asked
  text.replaceChildren(...paragraphs.map(toParagraph));
}

function toParagraph(words) {
  const paragraph = document.createElement('p');
  paragraph.textContent = words;
  return paragraph;
}

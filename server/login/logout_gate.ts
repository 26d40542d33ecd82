// May this request sign the reader out? `GET /logout` is a contract with published clients, so other sites can make a
// browser send it; Fetch Metadata tells their requests from the reader's own. Pure; the whole matrix is a table in the tests.

import type { Origins } from '../http/fetch_metadata.ts';

export type LogoutGate =
  /** The reader's own doing: sign out. */
  | 'act'
  /** The reader, or another site, opened it as a page: ask. */
  | 'ask'
  /** A part of some page: never. */
  | 'refuse';

/**
 * @param request from: who sent it; isSubresource: image, script, frame, …; isNavigation: a page change; acceptsHtml: HTML
 *   is named among what is wanted
 */
export function logoutGate(request: {
  from: Origins;
  isSubresource: boolean;
  isNavigation: boolean;
  acceptsHtml: boolean;
}): LogoutGate {
  if (request.isSubresource) return 'refuse';
  switch (request.from) {
    case 'same-origin':
      return 'act';
    case 'typed':
      return 'ask';
    case 'foreign':
      return request.isNavigation ? 'ask' : 'refuse';
    case 'unknown':
      // Apps and servers send neither Fetch Metadata nor Origin nor Referer, and do not ask for HTML; an old browser that
      // hides its referrer does.
      return request.acceptsHtml ? 'ask' : 'act';
    default:
      return request.from satisfies never;
  }
}

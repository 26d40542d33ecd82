// OpenID Connect on top of the provider: metadata, keys, userinfo, and the end of a session asked for by a client.

export {
  type BackChannelLogout,
  createBackChannelLogout,
  endSession,
  listReceipts,
  recordEnd,
} from './back_channel_logout.ts';
export { discoveryDocument } from './discovery.ts';
export type { Receipt, ReceiptState } from './store.ts';
export { mappingInput, presentUserinfo, SAMPLE_INPUT } from './userinfo.ts';
export { createUsualUserinfo } from './usual_userinfo.ts';

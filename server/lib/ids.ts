// Every branded id and secret state of the product: the one vocabulary that all folders share.
// A brand keeps, at compile time, a plain token out of a store function and one kind of id out of another's place.
// Brands are made only by the functions of this file and by the `parse…`/`create…` functions that prove a value.

declare const brand: unique symbol;
export type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Row id of a realm (bigint, as decimal text). */
export type RealmId = Branded<string, 'RealmId'>;
/** Row id of an account (bigint, as decimal text); shown as a number in the session-sharing API. */
export type AccountId = Branded<string, 'AccountId'>;
/** Row id of a client (bigint, as decimal text); not the `client_id` of the wire. */
export type ClientRowId = Branded<string, 'ClientRowId'>;
/** The `client_id` of RFC 6749 §2.2, unique within a realm. */
export type ClientId = Branded<string, 'ClientId'>;
/** Id of an SSO session (UUIDv7); `sid` on the wire of OpenID Connect. Not a credential. */
export type SessionId = Branded<string, 'SessionId'>;
/** Id of a domain session (UUIDv7). Not a credential. */
export type DomainSessionId = Branded<string, 'DomainSessionId'>;
/** A request host as registered: lower case, with its port when that is not the scheme's own. */
export type Host = Branded<string, 'Host'>;
/** A secret as its holder carries it. Never stored, never logged. */
export type PlainToken = Branded<string, 'PlainToken'>;
/** SHA-256 of a PlainToken: the only form that is stored. */
export type TokenHash = Branded<Buffer, 'TokenHash'>;
/** A redirect URI that equals a registered one byte for byte (RFC 9700 §4.1.3). */
export type RedirectUri = Branded<string, 'RedirectUri'>;
/** An absolute URL on a host of the client it was checked for, re-serialised. */
export type CallbackUri = Branded<string, 'CallbackUri'>;
/** Lower-case form under which an e-mail address is looked up and kept unique. */
export type CanonicalEmail = Branded<string, 'CanonicalEmail'>;

export const asRealmId = (value: string) => value as RealmId;
export const asAccountId = (value: string) => value as AccountId;
export const asClientRowId = (value: string) => value as ClientRowId;
export const asClientId = (value: string) => value as ClientId;
export const asSessionId = (value: string) => value as SessionId;
export const asDomainSessionId = (value: string) => value as DomainSessionId;
export const asHost = (value: string) => value as Host;

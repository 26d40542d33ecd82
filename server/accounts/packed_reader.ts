// A reader who is signed in as one short text: session memory holds very many of them, and an object with its dates and texts
// takes several times the room and has to be walked by every collection of garbage.

import type { SessionId } from '../lib/ids.ts';
import type { SignedIn } from './accounts.ts';

// Field by field: a list is shorter than an object with its names, and objects that are written out are all of one hidden class. The
// id of the session comes first, where it is found without reading the rest.
export const packReader = ({ account: a, session: s }: SignedIn): string =>
  JSON.stringify([
    s.id,
    s.realmId,
    s.accountId,
    s.domainSessionId,
    s.authenticatedAt.getTime(),
    s.amr,
    s.ageSeconds,
    s.isSeenStale,
    s.trueForSeconds,
    s.activeCount,
    a.id,
    a.realmId,
    a.sub,
    a.email,
    a.username,
    a.name,
    a.firstName,
    a.lastName,
    a.slug,
    a.avatarUrl,
    a.avatarS3Key,
    a.communicationEmail,
    a.phoneNumber,
    a.loginPhoneNumber,
    a.metadata,
    a.verificationStatus,
    a.isTfaEnabled,
    a.createdAt.getTime(),
    a.updatedAt.getTime(),
  ]);

export function unpackReader(packed: string): SignedIn {
  const values = JSON.parse(packed);
  return {
    account: {
      id: values[10],
      realmId: values[11],
      sub: values[12],
      email: values[13],
      username: values[14],
      name: values[15],
      firstName: values[16],
      lastName: values[17],
      slug: values[18],
      avatarUrl: values[19],
      avatarS3Key: values[20],
      communicationEmail: values[21],
      phoneNumber: values[22],
      loginPhoneNumber: values[23],
      metadata: values[24],
      verificationStatus: values[25],
      isTfaEnabled: values[26],
      createdAt: new Date(values[27]),
      updatedAt: new Date(values[28]),
    },
    session: {
      id: values[0],
      realmId: values[1],
      accountId: values[2],
      domainSessionId: values[3],
      authenticatedAt: new Date(values[4]),
      amr: values[5],
      ageSeconds: values[6],
      isSeenStale: values[7],
      trueForSeconds: values[8],
      activeCount: values[9],
    },
  };
}

/** The id of the session of one that packReader packed, without all the rest. */
export const sessionIdIn = (packed: string): SessionId => packed.slice(2, packed.indexOf('"', 2)) as SessionId;

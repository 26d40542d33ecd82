// A reader who is signed in as one short text: session memory holds very many of them, and an object with its dates and texts
// takes several times the room and has to be walked by every collection of garbage.

import type { SignedIn } from './accounts.ts';

// Field by field: a list is shorter than an object with its names, and objects that are written out are all of one hidden class.
export const packReader = ({ account: a, session: s }: SignedIn): string =>
  JSON.stringify([
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
  ]);

export function unpackReader(packed: string): SignedIn {
  const values = JSON.parse(packed);
  return {
    account: {
      id: values[0],
      realmId: values[1],
      sub: values[2],
      email: values[3],
      username: values[4],
      name: values[5],
      firstName: values[6],
      lastName: values[7],
      slug: values[8],
      avatarUrl: values[9],
      avatarS3Key: values[10],
      communicationEmail: values[11],
      phoneNumber: values[12],
      loginPhoneNumber: values[13],
      metadata: values[14],
      verificationStatus: values[15],
      isTfaEnabled: values[16],
      createdAt: new Date(values[17]),
      updatedAt: new Date(values[18]),
    },
    session: {
      id: values[19],
      realmId: values[20],
      accountId: values[21],
      domainSessionId: values[22],
      authenticatedAt: new Date(values[23]),
      amr: values[24],
      ageSeconds: values[25],
      isSeenStale: values[26],
      trueForSeconds: values[27],
      activeCount: values[28],
    },
  };
}

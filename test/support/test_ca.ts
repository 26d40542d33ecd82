// A certificate authority that exists for one test run: X.509 certificates (RFC 5280) written by hand over node:crypto, so
// that a machine needs nothing but Node for tests over https.

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

const der = (tag: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const size = body.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...parts: Buffer[]) => der(0x30, ...parts);
const oid = (...bytes: number[]) => der(0x06, Buffer.from(bytes));
const ECDSA_SHA256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
const name = (text: string) => sequence(der(0x31, sequence(oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from(text)))));
const time = (date: Date) => der(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
const extension = (id: number, value: Buffer, isCritical: boolean) =>
  sequence(oid(0x55, 0x1d, id), ...(isCritical ? [der(0x01, Buffer.from([0xff]))] : []), der(0x04, value));

function certificate(of: {
  subject: string;
  issuer: string;
  publicKey: KeyObject;
  signer: KeyObject;
  extensions: Buffer[];
}): string {
  const day = 86_400_000;
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ECDSA_SHA256,
    name(of.issuer),
    sequence(time(new Date(Date.now() - day)), time(new Date(Date.now() + day))),
    name(of.subject),
    of.publicKey.export({ format: 'der', type: 'spki' }),
    der(0xa3, sequence(...of.extensions)),
  );
  const signature = sign('sha256', signed, of.signer);
  const whole = sequence(signed, ECDSA_SHA256, der(0x03, Buffer.from([0]), signature));
  return `-----BEGIN CERTIFICATE-----\n${whole.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}

/** A new authority and a certificate of it for these host names, as PEM. */
export function makeTestCa(hosts: readonly string[]): { ca: string; cert: string; key: string } {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const isAuthority = sequence(der(0x01, Buffer.from([0xff])));
  const ca = certificate({
    subject: 'Test CA',
    issuer: 'Test CA',
    publicKey: authority.publicKey,
    signer: authority.privateKey,
    extensions: [extension(0x13, isAuthority, true)],
  });
  const names = sequence(...hosts.map((host) => der(0x82, Buffer.from(host))));
  const cert = certificate({
    subject: hosts[0] ?? '',
    issuer: 'Test CA',
    publicKey: own.publicKey,
    signer: authority.privateKey,
    extensions: [extension(0x11, names, false)],
  });
  return { ca, cert, key: own.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string };
}

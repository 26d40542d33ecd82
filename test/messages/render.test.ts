// Words and looks of every message, in every language: complete, escaped, and readable as text alone.

import test from 'ava';
import { simpleParser } from 'mailparser';
import { createTransport } from 'nodemailer';
import { contrastRatio } from '../../server/http/brand.ts';
import { TEMPLATES } from '../../server/messages/messages.ts';
import { BRAND, draftOf, LINK, NAMES, renderer, SAMPLES, views } from './samples.ts';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

for (const locale of views.locales)
  for (const name of NAMES)
    test(`${name} in ${locale} has all of its words and values`, (t) => {
      const draft = draftOf(name, locale);
      const values: Record<string, string | number> = SAMPLES[name];
      if (TEMPLATES[name].channel === 'phone') {
        t.true(renderer.text(draft).includes(String(values['code'])));
        t.true(renderer.text(draft).length <= 160, 'fits one text message');
        return;
      }
      const { subject, text, html } = renderer.mail(draft);
      t.true(subject.length > 0 && subject.length <= 78, subject);
      for (const part of [text, html]) {
        t.true(part.includes('The Daily'));
        t.false(/undefined|\[object|\{\w+\}|NaN/.test(part), part);
      }
      for (const key of ['link', 'code', 'device', 'address'])
        if (values[key] !== undefined) t.true(text.includes(String(values[key])), key);
      t.false(/<table|<script|<link|\bon\w+=|src="(?!cid:)/.test(html));
      // No secret in the subject: mail servers log it.
      t.false(subject.includes(String(values['code'] ?? 'no code')));
    });

const EVIL = `"><svg onload=alert(1)>\r\nBcc: evil@example.com\u2028<b>&`;

test('security 156: a name with HTML and line ends stays one line in the subject and text in the HTML', async (t) => {
  const draft = draftOf('new-device', 'en', {
    brand: { ...BRAND, name: EVIL },
    values: { device: EVIL, address: EVIL },
  });
  const { subject, text, html, logo } = renderer.mail(draft);
  t.notRegex(subject, /[\r\n\u2028]/);
  t.false(html.includes('<svg'));
  t.false(html.includes('<b>&'));
  t.notRegex(text, /^Bcc:/m);
  const transport = createTransport({ streamTransport: true, buffer: true });
  const sent = await transport.sendMail({
    subject,
    text,
    html,
    from: { name: EVIL, address: 'a@b.example' },
    to: { name: '', address: 'reader@example.com' },
  });
  const parsed = await simpleParser(sent.message as Buffer);
  t.false(parsed.headers.has('bcc'));
  t.deepEqual(sent.envelope.to, ['reader@example.com']);
  t.is(logo, null);
});

test('a link that is no web address is never sent', (t) => {
  for (const link of ['javascript:alert(1)', 'data:text/html,x', '/verify', ''])
    t.throws(() => renderer.mail(draftOf('sign-in-link', 'en', { values: { link } })), { instanceOf: TypeError });
});

test('a logo travels as an attachment that the HTML names; one that mail programs do not show gives way to the name', (t) => {
  const png = renderer.mail(
    draftOf('reset-password', 'en', { brand: { ...BRAND, logo: `data:image/png;base64,${PNG}` } }),
  );
  t.true(png.html.includes('src="cid:logo"'));
  t.is(png.logo?.contentType, 'image/png');
  t.deepEqual(png.logo?.content, Buffer.from(PNG, 'base64'));
  const svg = renderer.mail(
    draftOf('reset-password', 'en', { brand: { ...BRAND, logo: 'data:image/svg+xml;base64,PHN2Zy8+' } }),
  );
  t.is(svg.logo, null);
  t.false(svg.html.includes('<img'));
  t.true(svg.html.includes('<bdi>The Daily</bdi>'));
});

test('the button and the link can be read whatever the accent, on paper and in the dark', (t) => {
  for (const accent of ['#ffff00', '#000000', '#ffffff', '#7f7f7f', '#0b5d4b']) {
    const { html } = renderer.mail(draftOf('reset-password', 'en', { brand: { ...BRAND, accent } }));
    const [, background, text] = /class="button"[^>]*background:(#\w{6});color:(#\w{6})/.exec(html) ?? [];
    t.true(contrastRatio(background as string, text as string) >= 4.5, accent);
    const [, link] = /class="link"[^>]*style="color:(#\w{6})/.exec(html) ?? [];
    t.true(contrastRatio(link as string, '#ffffff') >= 4.5, accent);
    const [, dark] = /\.link \{ color: (#\w{6})/.exec(html) ?? [];
    t.true(contrastRatio(dark as string, '#1c1e22') >= 4.5, accent);
  }
});

test('a brand written the other way round does not reorder the sentence around it', (t) => {
  const { subject } = renderer.mail(draftOf('sign-in-code', 'en', { brand: { ...BRAND, name: 'هآرتس' } }));
  t.is(subject, 'Your code to sign in to \u2068هآرتس\u2069');
});

test('a language that we lack is answered in the nearest that we have', (t) => {
  t.regex(renderer.mail(draftOf('sign-in-code', 'de-CH')).html, /<html lang="de"/);
  t.regex(renderer.mail(draftOf('sign-in-code', 'tlh')).html, /<html lang="en"/);
  t.true(renderer.mail(draftOf('sign-in-link', 'en')).text.includes(`\n${LINK}\n`));
});
